use super::*;

/// What the bus's connections hear besides announcements, and some that look like them.
const OTHERS: [&str; 9] = [
    "+OK\r\n",
    "-ERR a refusal\r\n",
    ":42\r\n",
    "$-1\r\n",
    "$9\r\n+a\r\n$1\r\nb\r\n",
    "*-1\r\n",
    "*2\r\n$4\r\npong\r\n$0\r\n\r\n",
    "*3\r\n$9\r\nsubscribe\r\n$6\r\nroom:1\r\n:1\r\n",
    "*2\r\n$7\r\nmessage\r\n*2\r\n:1\r\n$7\r\nmessage\r\n",
];

fn announcement(number: usize) -> String {
    let payload = format!("{{\"seq\":{number},\"text\":\"*3\r\n$7\r\nmessage\r\n\"}}");
    format!(
        "*3\r\n$7\r\nmessage\r\n$6\r\nroom:1\r\n${}\r\n{payload}\r\n",
        payload.len()
    )
}

const NONE: Odds = Odds {
    dropped: 0.0,
    repeated: 0.0,
    late: 0.0,
};

fn garbling(odds: Odds) -> Garbling {
    Garbling::new(Chance::of(1, "test"), odds)
}

/// Numbers of the announcements that were heard, and all other replies.
fn heard(mut bytes: &[u8]) -> (Vec<usize>, String) {
    let (mut numbers, mut others) = (Vec::new(), String::new());
    let all: Vec<String> = (0..200).map(announcement).collect();
    while let Some((_, length)) = decode_range(bytes).unwrap() {
        let frame = std::str::from_utf8(&bytes[..length]).unwrap();
        match all.iter().position(|announcement| announcement == frame) {
            Some(number) => numbers.push(number),
            None => others.push_str(frame),
        }
        bytes = &bytes[length..];
    }
    assert_eq!(bytes, b"", "half a frame was written");
    (numbers, others)
}

/// Announcements with other replies in between.
fn mixed(count: usize) -> (String, String) {
    let others = |number: usize| OTHERS[number % OTHERS.len()];
    let all = (0..count).map(|number| announcement(number) + others(number)).collect();
    (all, (0..count).map(others).collect())
}

#[test]
fn without_a_disturbance_bytes_are_untouched_wherever_they_are_split() {
    let (all, _) = mixed(OTHERS.len());
    for at in 0..=all.len() {
        let mut replies = Replies::default();
        let mut written = replies.pass(&all.as_bytes()[..at], None);
        written.extend_from_slice(&replies.pass(&all.as_bytes()[at..], None));
        assert_eq!(written, all, "split at {at}");
    }
}

#[test]
fn what_happens_does_not_depend_on_where_they_are_split() {
    let odds = Odds {
        dropped: 0.3,
        repeated: 0.3,
        late: 0.5,
    };
    let (all, others) = mixed(2 * OTHERS.len());
    let whole = Replies::default().pass(all.as_bytes(), Some(&mut garbling(odds)));
    assert_eq!(heard(&whole).1, others);
    for at in 0..=all.len() {
        let (mut replies, mut garbling) = (Replies::default(), garbling(odds));
        let mut written = replies.pass(&all.as_bytes()[..at], Some(&mut garbling));
        written.extend_from_slice(&replies.pass(&all.as_bytes()[at..], Some(&mut garbling)));
        assert_eq!(written, whole, "split at {at}");
    }
    let (mut replies, mut garbling) = (Replies::default(), garbling(odds));
    let bytes = all.as_bytes().iter();
    let single: Vec<u8> = bytes
        .flat_map(|byte| replies.pass(&[*byte], Some(&mut garbling)))
        .collect();
    assert_eq!(single, whole);
}

#[test]
fn other_replies_come_whole_and_in_order_when_all_announcements_are_dropped() {
    let mut garbling = garbling(Odds { dropped: 1.0, ..NONE });
    let (all, others) = mixed(30);
    assert_eq!(Replies::default().pass(all.as_bytes(), Some(&mut garbling)), others);
    let expected = Garbled {
        dropped: 30,
        ..Garbled::default()
    };
    assert_eq!(garbling.so_far, expected);
}

#[test]
fn of_those_dropped_none_comes_later() {
    let mut garbling = garbling(Odds { dropped: 0.5, ..NONE });
    let (all, _) = mixed(100);
    let (numbers, _) = heard(&Replies::default().pass(all.as_bytes(), Some(&mut garbling)));
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
    assert_eq!(numbers.len(), 100 - garbling.so_far.dropped);
    assert!((1..100).contains(&numbers.len()), "{numbers:?}");
}

#[test]
fn repeats_come_at_once_and_later() {
    let mut garbling = garbling(Odds { repeated: 0.5, ..NONE });
    let (all, _) = mixed(100);
    let (numbers, _) = heard(&Replies::default().pass(all.as_bytes(), Some(&mut garbling)));
    assert!((0..100).all(|number| numbers.contains(&number)), "{numbers:?}");
    assert_eq!(numbers.len(), 100 + garbling.so_far.repeated);
    assert!(numbers.windows(2).any(|two| two[0] == two[1]), "{numbers:?}");
    assert!(numbers.windows(2).any(|two| two[0] > two[1]), "{numbers:?}");
}

#[test]
fn late_ones_are_overtaken_and_heard_once() {
    let mut garbling = garbling(Odds { late: 0.5, ..NONE });
    let (all, _) = mixed(100);
    let mut replies = Replies::default();
    let mut written = replies.pass(all.as_bytes(), Some(&mut garbling));
    let (numbers, _) = heard(&written);
    let behind = |at: usize| numbers[..at].iter().any(|earlier| *earlier > numbers[at]);
    let overtaken = (0..numbers.len()).filter(|at| behind(*at)).count();
    assert_eq!(overtaken, garbling.so_far.overtaken, "{numbers:?}");
    assert!(overtaken > 10, "{numbers:?}");
    written.extend_from_slice(&replies.pass(b"+OK\r\n", None));
    let (mut numbers, _) = heard(&written);
    numbers.sort_unstable();
    assert_eq!(numbers, (0..100).collect::<Vec<_>>());
}

#[test]
fn when_it_is_over_what_was_kept_comes_first_and_the_rest_is_untouched() {
    let mut garbling = garbling(Odds { late: 1.0, ..NONE });
    let mut replies = Replies::default();
    let first = announcement(0);
    assert_eq!(replies.pass(first.as_bytes(), Some(&mut garbling)), "");
    let (all, _) = mixed(30);
    let (begun, rest) = all.split_at(5);
    assert_eq!(replies.pass(begun.as_bytes(), Some(&mut garbling)), "");
    assert_eq!(replies.pass(rest.as_bytes(), None), first + &all);
    assert_eq!(replies.pass(all.as_bytes(), None), all);
}

#[test]
fn what_is_no_resp2_is_carried_as_it_is() {
    let mut garbling = garbling(Odds { dropped: 1.0, ..NONE });
    let mut replies = Replies::default();
    let bytes = "+OK\r\n%1\r\n+a\r\n:1\r\n";
    assert_eq!(replies.pass(bytes.as_bytes(), Some(&mut garbling)), bytes);
    let after = announcement(0);
    assert_eq!(replies.pass(after.as_bytes(), Some(&mut garbling)), after);
}

#[test]
fn the_same_seed_does_the_same() {
    let (all, _) = mixed(100);
    let written = |seed| {
        let mut garbling = Garbling::draw(&mut Chance::of(seed, "test"));
        Replies::default().pass(all.as_bytes(), Some(&mut garbling))
    };
    assert_eq!(written(1), written(1));
    assert_ne!(written(1), written(2));
}
