//! At most one word in a while about each thing, and never the last one lost: what comes too early waits, the newer in
//! place of the older, and is said when its time has come.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    hash::Hash,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

struct Said<V> {
    last: V,
    waiting: Option<V>,
}

/// Without I/O; times are arguments.
pub struct Throttle<K, V> {
    interval: Duration,
    /// What becomes of an older and a newer value.
    newest: fn(V, V) -> V,
    said: HashMap<K, Said<V>>,
    /// When each may be said again; all wait equally long, so that they come in this order.
    ends: VecDeque<(Instant, K)>,
}

impl<K: Copy + Eq + Hash, V: Clone + PartialEq> Throttle<K, V> {
    pub fn new(interval: Duration, newest: fn(V, V) -> V) -> Self {
        Self {
            interval,
            newest,
            said: HashMap::new(),
            ends: VecDeque::new(),
        }
    }

    /// The value when it is to be said now. What was said last is not said again.
    pub fn offer(&mut self, key: K, value: V, now: Instant) -> Option<V> {
        match self.said.entry(key) {
            Entry::Vacant(place) => {
                place.insert(Said {
                    last: value.clone(),
                    waiting: None,
                });
                self.ends.push_back((now + self.interval, key));
                Some(value)
            }
            Entry::Occupied(mut said) => {
                let said = said.get_mut();
                let older = said.waiting.take().unwrap_or_else(|| said.last.clone());
                said.waiting = Some((self.newest)(older, value)).filter(|value| *value != said.last);
                None
            }
        }
    }

    /// It is known already that the value is this: nothing has to be said, and what waits is outdated.
    pub fn known(&mut self, key: &K, value: V) {
        if let Some(said) = self.said.get_mut(key) {
            said.last = value;
            said.waiting = None;
        }
    }

    /// What was offered last, as long as it is remembered: while it waits, and for an interval after it was said.
    pub fn newest(&self, key: &K) -> Option<V> {
        let said = self.said.get(key)?;
        Some(said.waiting.as_ref().unwrap_or(&said.last).clone())
    }

    /// What has waited long enough.
    pub fn due(&mut self, now: Instant) -> Vec<(K, V)> {
        let mut due = Vec::new();
        while let Some((_, key)) = self.ends.pop_front_if(|(end, _)| *end <= now) {
            let Some(said) = self.said.get_mut(&key) else { continue };
            match said.waiting.take() {
                Some(value) => {
                    said.last = value.clone();
                    self.ends.push_back((now + self.interval, key));
                    due.push((key, value));
                }
                None => drop(self.said.remove(&key)),
            }
        }
        due
    }

    pub fn next_due(&self) -> Option<Instant> {
        self.ends.front().map(|(end, _)| *end)
    }
}

/// A [`Throttle`] with its clock.
pub struct Paced<K, V> {
    throttle: Mutex<Throttle<K, V>>,
    begun: Notify,
}

impl<K: Copy + Eq + Hash, V: Clone + PartialEq> Paced<K, V> {
    pub fn new(interval: Duration, newest: fn(V, V) -> V) -> Self {
        Self {
            throttle: Mutex::new(Throttle::new(interval, newest)),
            begun: Notify::new(),
        }
    }

    /// The value when it is to be said now; else [`Paced::run`] says it in time.
    pub fn offer(&self, key: K, value: V) -> Option<V> {
        let mut throttle = self.throttle.lock();
        let idle = throttle.next_due().is_none();
        let now = throttle.offer(key, value, Instant::now());
        if idle {
            self.begun.notify_one();
        }
        now
    }

    /// See [`Throttle::known`].
    pub fn known(&self, key: &K, value: V) {
        self.throttle.lock().known(key, value);
    }

    /// See [`Throttle::newest`].
    pub fn newest(&self, key: &K) -> Option<V> {
        self.throttle.lock().newest(key)
    }

    /// Says what had to wait, for ever.
    pub async fn run(&self, say: impl Fn(K, V)) {
        loop {
            let next = self.throttle.lock().next_due();
            match next {
                Some(next) => tokio::time::sleep_until(next).await,
                None => self.begun.notified().await,
            }
            let due = self.throttle.lock().due(Instant::now());
            due.into_iter().for_each(|(key, value)| say(key, value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_first_at_once_the_newest_a_second_later() {
        let (mut throttle, start) = (Throttle::new(SECOND, |_, new| new), Instant::now());
        assert_eq!(throttle.offer("a", 1, start), Some(1));
        assert_eq!(throttle.offer("a", 2, start), None);
        assert_eq!(throttle.offer("a", 3, start + SECOND / 2), None);
        assert_eq!(throttle.offer("b", 9, start + SECOND / 2), Some(9), "others don't wait");
        assert_eq!(throttle.due(start + SECOND / 2), []);
        assert_eq!(throttle.due(start + SECOND), [("a", 3)]);
        assert_eq!(
            throttle.offer("a", 4, start + SECOND),
            None,
            "and again not within a second"
        );
        assert_eq!(throttle.due(start + SECOND * 2), [("a", 4)]);
        assert_eq!(throttle.due(start + SECOND * 3), []);
        assert_eq!((throttle.said.len(), throttle.ends.len()), (0, 0), "nothing is kept");
    }

    #[test]
    fn what_was_said_is_not_repeated() {
        let (mut throttle, start) = (Throttle::new(SECOND, |_, new| new), Instant::now());
        throttle.offer("a", 1, start);
        throttle.offer("a", 2, start);
        throttle.offer("a", 1, start);
        assert_eq!(throttle.due(start + SECOND), []);
    }

    #[test]
    fn what_is_known_is_not_said() {
        let (mut throttle, start) = (Throttle::new(SECOND, |_, new| new), Instant::now());
        throttle.offer("a", 1, start);
        throttle.offer("a", 2, start);
        throttle.known(&"a", 3);
        assert_eq!(throttle.due(start + SECOND / 2), []);
        throttle.offer("a", 1, start);
        assert_eq!(throttle.due(start + SECOND), [("a", 1)], "what follows is");
    }

    #[test]
    fn markers_only_move_forward() {
        let (mut throttle, start) = (Throttle::new(SECOND, Ord::max), Instant::now());
        throttle.offer("a", 1, start);
        throttle.offer("a", 7, start);
        throttle.offer("a", 5, start);
        assert_eq!(throttle.due(start + SECOND), [("a", 7)]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_clock_says_what_waited() {
        let paced = Paced::new(SECOND, |_, new| new);
        let heard = Mutex::new(Vec::new());
        let start = Instant::now();
        let talk = async {
            assert_eq!(paced.offer("a", 1), Some(1));
            assert_eq!(paced.offer("a", 2), None);
            tokio::time::sleep(SECOND * 5).await;
        };
        tokio::select! {
            () = talk => {}
            () = paced.run(|key, value| heard.lock().push((key, value, start.elapsed()))) => {}
        }
        assert_eq!(*heard.lock(), [("a", 2, SECOND)]);
    }
}
