//! Who types, where a block may forbid it.

use super::*;

fn types(house: &House, guest: &Guest) {
    let gateway = &house.gateway;
    gateway.typists.types(&gateway.rooms, ROOM, guest.user_id, guest.ws);
}

fn typing(guest: &Guest) -> Vec<bool> {
    let frames = guest.told("typing");
    frames.iter().map(|frame| frame["typing"].as_bool().unwrap()).collect()
}

/// Two gateways, of which the first knows that the room is a conversation of two.
fn conversation() -> (House, House) {
    let bus = MemoryBus::new();
    let direct = OneRoom {
        is_direct: true,
        ..OneRoom::default()
    };
    (House::with(direct, &bus), House::on(&bus))
}

#[tokio::test(start_paused = true)]
async fn typing_in_a_conversation_of_two_reaches_nobody_while_it_is_blocked() {
    let (one, two) = conversation();
    let (ada, bob) = (one.enter(user(1)).await, two.enter(user(2)).await);
    types(&one, &ada);
    seconds(1.0).await;
    assert_eq!(typing(&bob), [true]);
    one.db.is_blocked.store(true, Relaxed);
    seconds(limits::TYPING_LIFE.as_secs_f64()).await;
    assert_eq!(typing(&bob), [false]);
    types(&one, &ada);
    types(&one, &ada);
    seconds(2.0).await;
    one.gateway.typists.silenced(ROOM, ada.ws);
    seconds(2.0).await;
    assert_eq!(typing(&bob), [false; 0]);
    one.db.is_blocked.store(false, Relaxed);
    types(&one, &ada);
    seconds(1.0).await;
    assert_eq!(typing(&bob), [true]);
}

#[tokio::test(start_paused = true)]
async fn who_has_stopped_before_the_answer_is_not_shown() {
    let (one, two) = conversation();
    let (ada, bob) = (one.enter(user(1)).await, two.enter(user(2)).await);
    types(&one, &ada);
    one.gateway.typists.sent(ROOM, ada.ws);
    seconds(1.0).await;
    assert_eq!(typing(&bob), [false; 0]);
}
