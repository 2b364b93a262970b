//! Sends of many rooms share calls: what comes while the calls of this gateway are under way goes with the next one, so
//! that no send waits for a timer, and a busy gateway pays for a call once in many sends.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use common::limits;
use db_api::{
    Call, DbApi,
    types::{Append, Draft, Outcome},
};
use parking_lot::Mutex;
use tokio::time::Instant;

/// What one room sends at once, and who hears what became of each, in that order; `None` when that is open.
pub(super) struct Parcel {
    drafts: Vec<Draft>,
    until: Instant,
    heard: Box<dyn FnOnce(Option<Vec<Outcome>>) + Send>,
}

pub(super) struct Gatherer {
    db: Arc<dyn DbApi>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Parcel>,
    calls: usize,
}

impl Gatherer {
    pub fn new(db: Arc<dyn DbApi>) -> Self {
        Self {
            db,
            state: Mutex::default(),
        }
    }

    /// At most [`limits::DRAFTS_PER_APPEND`], of a room that waits for the outcome before it sends more (consistency rule
    /// 5). `heard` is called within the deadline of a call, whatever happens.
    pub fn send(self: &Arc<Self>, drafts: Vec<Draft>, heard: impl FnOnce(Option<Vec<Outcome>>) + Send + 'static) {
        let parcel = Parcel {
            drafts,
            until: Instant::now() + limits::CALL_DEADLINE,
            heard: Box::new(heard),
        };
        let mut state = self.state.lock();
        state.waiting.push_back(parcel);
        if state.calls < limits::APPENDS_AT_ONCE {
            state.calls += 1;
            drop(state);
            tokio::spawn(self.clone().work());
        }
    }

    /// One call after the other, until nothing waits.
    async fn work(self: Arc<Self>) {
        loop {
            let parcels = {
                let mut state = self.state.lock();
                let parcels = next(&mut state.waiting);
                if parcels.is_empty() {
                    state.calls -= 1;
                    return;
                }
                parcels
            };
            let now = Instant::now();
            let (parcels, late): (Vec<_>, Vec<_>) = parcels.into_iter().partition(|parcel| parcel.until > now);
            late.into_iter().for_each(|parcel| (parcel.heard)(None));
            if let Some(until) = parcels.iter().map(|parcel| parcel.until).min() {
                self.call(parcels, until - now).await;
            }
        }
    }

    async fn call(&self, parcels: Vec<Parcel>, deadline: Duration) {
        let (mut drafts, mut shares) = (Vec::new(), Vec::with_capacity(parcels.len()));
        for parcel in parcels {
            shares.push((parcel.drafts.len(), parcel.heard));
            drafts.extend(parcel.drafts);
        }
        let (rooms, sent) = (shares.len(), drafts.len());
        let answer = self
            .db
            .append(Call::anonymous().within(deadline), Append { drafts })
            .await;
        if let Err(refusal) = &answer {
            tracing::warn!(rooms, drafts = sent, error = %refusal, "an append got no answer");
        }
        let mut outcomes = answer.ok().map(|answer| answer.value.outcomes.into_iter());
        for (count, heard) in shares {
            heard(outcomes.as_mut().map(|outcomes| outcomes.take(count).collect()));
        }
    }
}

/// The oldest that fit one call, but always one.
fn next(waiting: &mut VecDeque<Parcel>) -> Vec<Parcel> {
    let (mut parcels, mut drafts) = (Vec::new(), 0);
    while let Some(parcel) = waiting.front() {
        drafts += parcel.drafts.len();
        if drafts > limits::DRAFTS_PER_APPEND && !parcels.is_empty() {
            break;
        }
        parcels.extend(waiting.pop_front());
    }
    parcels
}

#[cfg(test)]
mod tests;
