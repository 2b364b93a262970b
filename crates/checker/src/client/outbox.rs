//! What a client sends to one room: in order, and again by the contract's rule. After `unavailable` the same message comes
//! again, also if another try of it was acknowledged meanwhile, and right behind it, before anything new, all later ones
//! that are not acknowledged yet, in order.

use common::MessageId;

#[derive(Debug)]
struct Waiting {
    message: MessageId,
    /// That of its last try on the present socket.
    reference: Option<String>,
    /// The last try has no answer yet.
    is_open: bool,
    /// Some try was acknowledged, or refused for good.
    is_settled: bool,
    /// The last try was `unavailable`.
    comes_again: bool,
}

#[derive(Debug, Default)]
pub struct Outbox(Vec<Waiting>);

impl Outbox {
    pub fn push(&mut self, message: MessageId) {
        self.0.push(Waiting {
            message,
            reference: None,
            is_open: false,
            is_settled: false,
            comes_again: false,
        });
    }

    pub fn has(&self, message: MessageId) -> bool {
        self.0.iter().any(|waiting| waiting.message == message)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Something has to come again before anything new.
    pub fn is_held(&self) -> bool {
        self.0.iter().any(|waiting| waiting.comes_again)
    }

    pub fn messages(&self) -> Vec<MessageId> {
        self.0.iter().map(|waiting| waiting.message).collect()
    }

    /// On a new socket all that is not settled comes again, in order.
    pub fn reconnected(&mut self) {
        self.0.retain(|waiting| !waiting.is_settled);
        for waiting in &mut self.0 {
            waiting.reference = None;
            waiting.is_open = false;
            waiting.comes_again = false;
        }
    }

    pub fn acked(&mut self, reference: &str, message: MessageId) {
        for waiting in self.0.iter_mut().filter(|waiting| waiting.message == message) {
            waiting.is_settled = true;
            waiting.is_open &= waiting.reference.as_deref() != Some(reference);
        }
        self.forget();
    }

    /// Refused for good.
    pub fn refused(&mut self, reference: &str) {
        if let Some(waiting) = self.of(reference) {
            waiting.is_settled = true;
            waiting.is_open = false;
        }
        self.forget();
    }

    /// Only of the last try it means something: an earlier one has been followed by another already.
    pub fn unavailable(&mut self, reference: &str) {
        if let Some(waiting) = self.of(reference) {
            waiting.is_open = false;
            waiting.comes_again = true;
        }
    }

    /// What is to be written now, in order, each under a new reference.
    pub fn due(&mut self, mut reference: impl FnMut() -> String) -> Vec<(String, MessageId)> {
        let from = self.0.iter().position(|waiting| waiting.comes_again);
        let mut due = Vec::new();
        for (at, waiting) in self.0.iter_mut().enumerate() {
            // Also one that is settled: the gateway may wait for just that one.
            let again = waiting.comes_again || (!waiting.is_settled && from.is_some_and(|from| at > from));
            if again || waiting.reference.is_none() {
                let reference = reference();
                waiting.reference = Some(reference.clone());
                waiting.is_open = true;
                due.push((reference, waiting.message));
            }
            waiting.comes_again = false;
        }
        self.forget();
        due
    }

    fn of(&mut self, reference: &str) -> Option<&mut Waiting> {
        let mut waiting = self.0.iter_mut();
        waiting.find(|waiting| waiting.reference.as_deref() == Some(reference))
    }

    fn forget(&mut self) {
        self.0
            .retain(|waiting| !waiting.is_settled || waiting.is_open || waiting.comes_again);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> MessageId {
        MessageId(uuid::Uuid::from_u128(number))
    }

    /// An outbox with messages 1 to 3 written under the references 1 to 3, and a counter for the next.
    fn written() -> (Outbox, impl FnMut(&mut Outbox) -> Vec<(String, u128)>) {
        let mut count = 0;
        let mut due = move |outbox: &mut Outbox| {
            let mut next = || {
                count += 1;
                count.to_string()
            };
            let due = outbox.due(&mut next).into_iter();
            due.map(|(reference, message)| (reference, message.0.as_u128()))
                .collect()
        };
        let mut outbox = Outbox::default();
        (1..=3).for_each(|number| outbox.push(id(number)));
        let first: Vec<(String, u128)> = due(&mut outbox);
        assert_eq!(first, [("1".into(), 1), ("2".into(), 2), ("3".into(), 3)]);
        (outbox, due)
    }

    #[test]
    fn an_unavailable_one_comes_again_and_all_later_ones_behind_it() {
        let (mut outbox, mut due) = written();
        outbox.acked("1", id(1));
        outbox.unavailable("2");
        outbox.push(id(4));
        assert!(outbox.is_held());
        assert_eq!(due(&mut outbox), [("4".into(), 2), ("5".into(), 3), ("6".into(), 4)]);
        // The third was unavailable too, in its earlier try: it was written again meanwhile.
        outbox.unavailable("3");
        assert!(!outbox.is_held());
    }

    #[test]
    fn one_that_was_acked_meanwhile_comes_again_all_the_same() {
        let (mut outbox, mut due) = written();
        outbox.unavailable("1");
        outbox.acked("0", id(1));
        assert_eq!(due(&mut outbox), [("4".into(), 1), ("5".into(), 2), ("6".into(), 3)]);
        outbox.acked("4", id(1));
        outbox.acked("5", id(2));
        outbox.acked("6", id(3));
        assert!(outbox.is_empty());
    }

    #[test]
    fn of_several_unavailable_ones_each_comes_again() {
        let (mut outbox, mut due) = written();
        outbox.unavailable("1");
        outbox.acked("0", id(2));
        outbox.unavailable("2");
        assert_eq!(due(&mut outbox), [("4".into(), 1), ("5".into(), 2), ("6".into(), 3)]);
    }

    #[test]
    fn a_new_socket_gets_what_is_open_in_order() {
        let (mut outbox, mut due) = written();
        outbox.acked("2", id(2));
        outbox.unavailable("1");
        outbox.reconnected();
        assert_eq!(due(&mut outbox), [("4".into(), 1), ("5".into(), 3)]);
    }
}
