//! Whatever the line and the server do: no gap, no repeat, and every own message once, in the order written.

use common::{MessageId, Seq, UserId, event::Event};
use proptest::{collection::vec, prelude::*, sample::select};
use uuid::Uuid;

use super::{
    super::{Core, Effect, Place},
    ME, ROOM, draft, id,
    server::{Health, Server},
};

#[derive(Debug, Clone, Copy)]
enum Step {
    Write,
    Say,
    Work,
    Publish,
    Hear,
    /// Does what the core wanted done.
    Wake,
    Answer,
    AnswerNot,
    Join,
    Lose,
    Health(Health),
    Connect,
    Cut,
}

const OFTEN: [Step; 13] = [
    Step::Write,
    Step::Write,
    Step::Say,
    Step::Work,
    Step::Work,
    Step::Publish,
    Step::Publish,
    Step::Hear,
    Step::Hear,
    Step::Hear,
    Step::Wake,
    Step::Answer,
    Step::Health(Health::Well),
];
const RARELY: [Step; 5] = [
    Step::AnswerNot,
    Step::Lose,
    Step::Join,
    Step::Health(Health::Away),
    Step::Health(Health::Silent),
];

/// A client that looks from the start of the log.
struct Bench {
    core: Core,
    server: Server,
    wants: Vec<Effect>,
    fetch: Option<Seq>,
    shown: Vec<MessageId>,
    written: u128,
    others: u128,
    settled: Vec<MessageId>,
}

impl Bench {
    fn new() -> Self {
        let mut core = Core::new(ME);
        core.open(ROOM);
        Self {
            core,
            server: Server::new(),
            wants: Vec::new(),
            fetch: None,
            shown: Vec::new(),
            written: 0,
            others: 1 << 64,
            settled: Vec::new(),
        }
    }

    fn flush(&mut self) {
        while self.server.is_connected()
            && let Some(frame) = self.core.next_send(ROOM)
        {
            self.server.take(frame);
        }
    }

    fn join(&mut self) {
        let after = self.core.room(ROOM).unwrap().resumes_from().or(Some(Seq::ZERO));
        let frame = self.core.join(&[(ROOM, after)]);
        self.server.take(frame);
        self.core.requeue(ROOM);
        self.flush();
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Write => {
                self.written += 1;
                self.core.submit(draft(self.written)).unwrap();
                self.flush();
            }
            Step::Say => {
                self.others += 1;
                self.server.say(id(self.others), UserId(Uuid::from_u128(3)));
            }
            Step::Work => self.server.work(),
            Step::Publish => self.server.publish(),
            Step::Hear => {
                if let Some(frame) = self.server.tell() {
                    let effects = self.core.hear(frame);
                    self.heed(effects);
                }
            }
            Step::Wake => self.wake(),
            Step::Answer | Step::AnswerNot => {
                if let Some(after) = self.fetch.take() {
                    let page = matches!(step, Step::Answer).then(|| self.server.page(after, 3));
                    let effects = self.core.fetched(ROOM, page);
                    self.heed(effects);
                }
            }
            Step::Join if self.server.is_connected() => self.join(),
            Step::Join => {}
            Step::Lose => self.server.lose(),
            Step::Health(health) => self.server.health = health,
            Step::Connect if !self.server.is_connected() => {
                self.server.connect();
                self.core.connected();
                self.join();
            }
            Step::Connect => {}
            Step::Cut => {
                self.server.cut();
                self.core.lost();
            }
        }
    }

    fn wake(&mut self) {
        for want in std::mem::take(&mut self.wants) {
            match want {
                Effect::Again { .. } => {
                    self.core.again(ROOM);
                    self.flush();
                }
                Effect::Fetch { .. } if self.fetch.is_none() => self.fetch = self.core.fetch(ROOM),
                _ => {}
            }
        }
    }

    fn heed(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Begins { after, .. } => assert_eq!(after, Seq::ZERO, "it begins where it was asked to"),
                Effect::Shown { place, .. } => self.shows(&place),
                Effect::Settled { message, outcome, .. } => {
                    assert!(!self.settled.contains(&message), "{message} was settled twice");
                    let Ok(seq) = outcome else {
                        panic!("{message} was refused")
                    };
                    assert_eq!(self.stands(seq), message);
                    self.settled.push(message);
                }
                Effect::NotJoined { .. } | Effect::Ended { .. } | Effect::Rejoin { .. } => panic!("{effect:?}"),
                Effect::Again { .. } | Effect::Fetch { .. } => self.wants.push(effect),
            }
        }
    }

    fn shows(&mut self, place: &Place) {
        assert_eq!(
            place.seq().get(),
            self.shown.len() as u64 + 1,
            "in order, once, without a gap"
        );
        let message = match place {
            Place::Own(own) => own.message,
            Place::Event(event) => message_of(event).unwrap(),
        };
        assert_eq!(message, self.stands(place.seq()), "what is shown is what stands");
        self.shown.push(message);
    }

    fn stands(&self, seq: Seq) -> MessageId {
        message_of(&self.server.log[seq.get() as usize - 1]).unwrap()
    }

    /// All goes well from now on, until nothing is left to do.
    fn settle(&mut self) {
        self.step(Step::Health(Health::Well));
        self.step(Step::Connect);
        // Only a later place tells that the last one is missing.
        self.step(Step::Say);
        let well = [Step::Work, Step::Publish, Step::Hear, Step::Wake, Step::Answer];
        let is_done = |bench: &Bench| bench.server.is_quiet() && bench.wants.is_empty() && bench.fetch.is_none();
        for _ in 0..10_000 {
            well.iter().for_each(|step| self.step(*step));
            if is_done(self) {
                return;
            }
        }
        panic!("it never settles");
    }

    fn complete(&mut self) {
        self.settle();
        let own = self.server.log.iter().filter_map(message_of);
        let own: Vec<MessageId> = own.filter(|message| message.0.as_u128() < 1 << 64).collect();
        let written: Vec<MessageId> = (1..=self.written).map(id).collect();
        assert_eq!(own, written, "each once, in the order written");
        self.settled.sort();
        assert_eq!(self.settled, written, "each was settled");
        assert_eq!(self.shown.len(), self.server.log.len(), "all is shown");
        assert!(self.core.room(ROOM).unwrap().outbox.is_empty());
    }
}

fn message_of(event: &Event) -> Option<MessageId> {
    match event {
        Event::Message(message) => Some(message.message_id),
        _ => None,
    }
}

fn steps(more: &[Step]) -> impl Strategy<Value = Vec<Step>> {
    let all = [&OFTEN[..], &OFTEN[..], &RARELY[..], more].concat();
    vec(select(all), 20..250)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn over_lines_that_end(steps in steps(&[Step::Connect, Step::Connect, Step::Cut])) {
        let mut bench = Bench::new();
        steps.into_iter().for_each(|step| bench.step(step));
        bench.step(Step::Cut);
        bench.complete();
    }

    #[test]
    fn over_one_that_lasts(steps in steps(&[])) {
        let mut bench = Bench::new();
        bench.step(Step::Connect);
        steps.into_iter().for_each(|step| bench.step(step));
        bench.complete();
    }
}
