//! Single flight: of many that miss at once, one asks the leader. A reader shares only a look-up that began after it asked,
//! or it could be answered with what was before a write that it knows of.

use std::{collections::HashMap, future::Future, sync::Arc};

use bytes::Bytes;
use db_api::Refusal;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::Entry;

type Found = Result<Bytes, Refusal>;

/// The look-ups of one entry, one after the other.
#[derive(Default)]
struct Lane {
    turn: tokio::sync::Mutex<Option<(Instant, Found)>>,
}

#[derive(Default)]
pub(super) struct Flights(Mutex<HashMap<Entry, Arc<Lane>>>);

impl Flights {
    /// What a look-up of the entry that begins from now on finds: `look_up`'s, or that of another reader.
    pub async fn share(&self, entry: Entry, look_up: impl Future<Output = Found>) -> Found {
        let asked = Instant::now();
        let lane = self.0.lock().entry(entry).or_default().clone();
        let found = {
            let mut last = lane.turn.lock().await;
            match &*last {
                Some((began, found)) if *began > asked => found.clone(),
                _ => {
                    let began = Instant::now();
                    let found = look_up.await;
                    *last = Some((began, found.clone()));
                    found
                }
            }
        };
        let mut lanes = self.0.lock();
        // The map's and this one: nobody else is in the lane, and none can enter it now.
        if Arc::strong_count(&lane) == 2 {
            lanes.remove(&entry);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    use common::UserId;
    use uuid::Uuid;

    use super::*;

    const ENTRY: Entry = Entry::User(UserId(Uuid::nil()));

    #[tokio::test(start_paused = true)]
    async fn who_asks_during_a_look_up_shares_the_next_one() {
        let (flights, begun) = (Flights::default(), AtomicUsize::new(0));
        let read = |wait: u64| {
            let (flights, begun) = (&flights, &begun);
            async move {
                tokio::time::sleep(Duration::from_millis(wait)).await;
                let look_up = async {
                    let n = begun.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    Ok(Bytes::from(n.to_string()))
                };
                flights.share(ENTRY, look_up).await.unwrap()
            }
        };
        let found = tokio::join!(read(0), read(10), read(20), read(30), read(150));
        assert_eq!(found.0, "0");
        assert_eq!(
            [&found.1, &found.2, &found.3],
            ["1", "1", "1"],
            "one for all that asked during the first"
        );
        assert_eq!(found.4, "2", "it asked when the second had begun");
        assert!(flights.0.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_gives_up_leaves_its_turn_to_the_next() {
        let flights = Flights::default();
        let hanging = flights.share(ENTRY, std::future::pending());
        assert!(tokio::time::timeout(Duration::from_millis(10), hanging).await.is_err());
        let found = flights.share(ENTRY, async { Ok(Bytes::from_static(b"x")) }).await;
        assert_eq!(found, Ok(Bytes::from_static(b"x")));
    }
}
