use super::{super::Outbox, draft, id};

/// An outbox with messages 1 to 3 written under the references 1 to 3, and what writes all that is due.
fn written() -> (Outbox, impl FnMut(&mut Outbox) -> Vec<(u128, u128)>) {
    let mut count = 0;
    let mut due = move |outbox: &mut Outbox| {
        outbox.again();
        let mut due = Vec::new();
        while let Some(draft) = outbox.next(&(count + 1).to_string()) {
            count += 1;
            due.push((count, draft.message_id.0.as_u128()));
        }
        due
    };
    let mut outbox = Outbox::default();
    (1..=3).for_each(|number| outbox.push(draft(number)).unwrap());
    assert_eq!(due(&mut outbox), [(1, 1), (2, 2), (3, 3)]);
    (outbox, due)
}

#[test]
fn an_unavailable_one_comes_again_and_all_later_ones_behind_it() {
    let (mut outbox, mut due) = written();
    outbox.acked("1", id(1));
    outbox.unavailable("2");
    outbox.push(draft(4)).unwrap();
    assert!(outbox.is_held());
    assert_eq!(outbox.next("x"), None, "nothing new before it");
    assert_eq!(due(&mut outbox), [(4, 2), (5, 3), (6, 4)]);
    // The third was unavailable too, in its earlier try: it was written again meanwhile.
    outbox.unavailable("3");
    assert!(!outbox.is_held());
}

#[test]
fn one_that_was_acked_meanwhile_comes_again_all_the_same() {
    let (mut outbox, mut due) = written();
    outbox.unavailable("1");
    outbox.acked("0", id(1));
    assert_eq!(due(&mut outbox), [(4, 1), (5, 2), (6, 3)]);
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
    assert_eq!(due(&mut outbox), [(4, 1), (5, 2), (6, 3)]);
}

#[test]
fn a_new_socket_gets_what_is_open_in_order() {
    let (mut outbox, mut due) = written();
    outbox.acked("2", id(2));
    outbox.unavailable("1");
    outbox.reconnected();
    assert_eq!(due(&mut outbox), [(4, 1), (5, 3)]);
}

#[test]
fn behind_a_join_comes_what_is_open_and_what_the_socket_waits_for() {
    let (mut outbox, mut due) = written();
    outbox.acked("2", id(2));
    outbox.unavailable("1");
    outbox.acked("0", id(1));
    outbox.requeue();
    assert_eq!(due(&mut outbox), [(4, 1), (5, 3)]);
}

#[test]
fn what_is_refused_for_good_is_told_once_and_gone() {
    let (mut outbox, _) = written();
    assert_eq!(outbox.refused("2"), Some(id(2)));
    assert_eq!(outbox.refused("2"), None);
    assert_eq!(outbox.messages(), [id(1), id(3)]);
}

#[test]
fn a_full_one_says_so_and_a_known_message_needs_no_place() {
    let mut outbox = Outbox::default();
    (1..=1_000).for_each(|number| outbox.push(draft(number)).unwrap());
    assert!(outbox.push(draft(1_001)).is_err());
    assert!(outbox.push(draft(1_000)).is_ok());
}
