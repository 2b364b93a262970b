//! What a client sends to one room: in order, and again by the contract's rule. After `unavailable` the same message comes
//! again, also if another try of it was acknowledged meanwhile, and right behind it, before anything new, all later ones
//! that are not acknowledged yet, in order.

use common::{MessageId, frame::Send};

use crate::limits::OUTBOX_MESSAGES;

#[derive(Debug)]
struct Waiting {
    draft: Send,
    /// That of its last try on the present socket.
    reference: Option<String>,
    /// It is to be written.
    is_due: bool,
    /// The last try has no answer yet.
    is_open: bool,
    /// Some try was acknowledged, or refused for good.
    is_settled: bool,
    /// The last try was `unavailable`.
    comes_again: bool,
}

impl Waiting {
    /// Written anew; the answer to an earlier try says nothing about it.
    fn requeue(&mut self) {
        self.reference = None;
        self.is_due = true;
        self.is_open = false;
        self.comes_again = false;
    }
}

/// Too many messages of a room wait; what was written stays with who wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many messages wait to be sent; try again when the connection is back")]
pub struct OutboxFull;

#[derive(Debug, Default)]
pub struct Outbox(Vec<Waiting>);

impl Outbox {
    pub(super) fn push(&mut self, draft: Send) -> Result<(), OutboxFull> {
        if self.has(draft.message_id) {
            return Ok(());
        }
        if self.0.len() >= OUTBOX_MESSAGES {
            return Err(OutboxFull);
        }
        self.0.push(Waiting {
            draft,
            reference: None,
            is_due: true,
            is_open: false,
            is_settled: false,
            comes_again: false,
        });
        Ok(())
    }

    pub fn has(&self, message: MessageId) -> bool {
        self.0.iter().any(|waiting| waiting.draft.message_id == message)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Something has to come again before anything new.
    pub fn is_held(&self) -> bool {
        self.0.iter().any(|waiting| waiting.comes_again)
    }

    /// Something may be written now.
    pub fn has_due(&self) -> bool {
        !self.is_held() && self.0.iter().any(|waiting| waiting.is_due)
    }

    pub fn messages(&self) -> Vec<MessageId> {
        self.0.iter().map(|waiting| waiting.draft.message_id).collect()
    }

    /// On a new socket all that is not settled comes again, in order.
    pub(super) fn reconnected(&mut self) {
        self.0.retain(|waiting| !waiting.is_settled);
        self.requeue();
    }

    /// As on a new socket, but the present one may still wait for a settled one that was `unavailable`.
    pub(super) fn requeue(&mut self) {
        let open = |waiting: &&mut Waiting| !waiting.is_settled || waiting.comes_again;
        self.0.iter_mut().filter(open).for_each(Waiting::requeue);
    }

    /// What was written under an id, if it waits for its first answer.
    pub(super) fn acked(&mut self, reference: &str, message: MessageId) -> Option<Send> {
        let mut draft = None;
        for waiting in self.0.iter_mut().filter(|waiting| waiting.draft.message_id == message) {
            if !waiting.is_settled {
                draft = Some(waiting.draft.clone());
            }
            waiting.is_settled = true;
            waiting.is_open &= waiting.reference.as_deref() != Some(reference);
        }
        self.forget();
        draft
    }

    /// Refused for good.
    pub(super) fn refused(&mut self, reference: &str) -> Option<MessageId> {
        let waiting = self.of(reference)?;
        let first = !waiting.is_settled;
        waiting.is_settled = true;
        waiting.is_open = false;
        let message = waiting.draft.message_id;
        self.forget();
        first.then_some(message)
    }

    /// Only of the last try it means something: an earlier one has been followed by another already.
    pub(super) fn unavailable(&mut self, reference: &str) {
        if let Some(waiting) = self.of(reference) {
            waiting.is_open = false;
            waiting.comes_again = true;
        }
    }

    /// Lets what was `unavailable` come again, and all later ones.
    pub(super) fn again(&mut self) {
        let Some(from) = self.0.iter().position(|waiting| waiting.comes_again) else {
            return;
        };
        for waiting in &mut self.0[from..] {
            // Also one that is settled: the gateway may wait for just that one.
            if waiting.comes_again || !waiting.is_settled {
                waiting.requeue();
            }
        }
    }

    /// The next one that is to be written, under this reference.
    pub(super) fn next(&mut self, reference: &str) -> Option<Send> {
        if self.is_held() {
            return None;
        }
        let waiting = self.0.iter_mut().find(|waiting| waiting.is_due)?;
        waiting.reference = Some(reference.to_owned());
        waiting.is_due = false;
        waiting.is_open = true;
        Some(waiting.draft.clone())
    }

    fn of(&mut self, reference: &str) -> Option<&mut Waiting> {
        let mut waiting = self.0.iter_mut();
        waiting.find(|waiting| waiting.reference.as_deref() == Some(reference))
    }

    fn forget(&mut self) {
        self.0
            .retain(|waiting| !waiting.is_settled || waiting.is_due || waiting.is_open || waiting.comes_again);
    }
}
