//! Who is shown as present, when, and to whom (consistency rule 10).

use bus::Bus;
use common::room::Presence::{Away, Offline, Online};

use super::*;

/// What a guest was told of others.
fn presence(guest: &Guest) -> Vec<(UserId, Presence)> {
    let word = |frame: &Value, name: &str| frame[name].as_str().unwrap().to_owned();
    let told = |frame: &Value| {
        let user = word(frame, "userId").parse().unwrap();
        (user, Presence::parse(&word(frame, "status")).unwrap())
    };
    guest.told("presence").iter().map(told).collect()
}

#[tokio::test(start_paused = true)]
async fn who_joins_is_shown_and_sees_who_is_there() {
    let bus = MemoryBus::new();
    let (one, two) = (House::on(&bus), House::on(&bus));
    let (ada, bob) = (one.enter(user(1)).await, two.enter(user(2)).await);
    assert_eq!(presence(&ada), [(user(2), Online)]);
    assert_eq!(presence(&bob), [(user(1), Online)], "by the roll call");
    let eve = one.enter(user(3)).await;
    let mut told = presence(&eve);
    told.sort_by_key(|(user, _)| *user);
    assert_eq!(told, [(user(1), Online), (user(2), Online)], "what its gateway knows");
    two.leave(&bob);
    seconds(limits::PRESENCE_LINGER.as_secs_f64() - 0.5).await;
    assert_eq!(presence(&ada), [(user(3), Online)], "it may come back");
    seconds(2.0).await;
    assert_eq!(presence(&ada), [(user(2), Offline)]);
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_joined_no_room_counts_where_others_of_its_user_have() {
    let bus = MemoryBus::new();
    let (one, two) = (House::on(&bus), House::on(&bus));
    let (ada, bob) = (one.enter(user(1)).await, two.enter(user(2)).await);
    let phone = one.open(user(2));
    seconds(1.0).await;
    assert_eq!(presence(&ada), [(user(2), Online)]);
    two.gateway.attendance.set(user(2), bob.ws, Away);
    seconds(2.0).await;
    assert_eq!(presence(&ada), [], "the phone is online");
    one.gateway.attendance.set(user(2), phone.ws, Away);
    seconds(2.0).await;
    assert_eq!(presence(&ada), [(user(2), Away)]);
    one.gateway.attendance.set(user(2), phone.ws, Online);
    seconds(2.0).await;
    assert_eq!(presence(&ada), [(user(2), Online)]);
}

/// Whose lease still has the user when the other looks, is chance: none of the two may rely on the other to know the rooms.
#[tokio::test(start_paused = true)]
async fn the_last_gateway_that_somebody_leaves_says_so_where_another_showed_it() {
    for lead in (0..=20).map(|step| f64::from(step) * 0.1 - 1.0) {
        let bus = MemoryBus::new();
        let (one, two) = (House::on(&bus), House::on(&bus));
        let (ada, bob) = (one.enter(user(1)).await, two.enter(user(2)).await);
        let phone = one.open(user(2));
        seconds(1.0).await;
        assert_eq!(presence(&ada), [(user(2), Online)]);
        let leave = [(&two, &bob), (&one, &phone)];
        let (first, second) = if lead < 0.0 { (0, 1) } else { (1, 0) };
        leave[first].0.leave(leave[first].1);
        seconds(lead.abs()).await;
        leave[second].0.leave(leave[second].1);
        seconds(limits::PRESENCE_LINGER.as_secs_f64() + 2.0).await;
        assert_eq!(
            presence(&ada),
            [(user(2), Offline)],
            "the phone left {lead:.1} s earlier"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_survivor_says_who_went_with_a_gateway_that_died() {
    let bus = MemoryBus::new();
    let (one, two, three) = (House::on(&bus), House::on(&bus), House::on(&bus));
    let (ada, eve) = (one.enter(user(1)).await, three.enter(user(3)).await);
    two.enter(user(2)).await;
    two.enter(user(4)).await;
    one.enter(user(4)).await;
    presence(&ada);
    presence(&eve);
    two.stop.cancel();
    seconds(15.0).await;
    assert_eq!(
        presence(&ada),
        [(user(2), Offline)],
        "the other one is on a gateway that lives"
    );
    assert_eq!(
        presence(&eve),
        [(user(2), Offline)],
        "every gateway knows where it showed them"
    );
}

#[tokio::test(start_paused = true)]
async fn after_a_loss_of_continuity_nobody_is_declared_offline_for_one_lease() {
    let bus = MemoryBus::new();
    let (one, two) = (House::on(&bus), House::on(&bus));
    let ada = one.enter(user(1)).await;
    two.enter(user(2)).await;
    presence(&ada);
    two.stop.cancel();
    seconds(7.0).await;
    one.gateway.attendance.continuity_lost(&one.gateway.rooms);
    seconds(limits::PRESENCE_LEASE.as_secs_f64() - 0.5).await;
    assert_eq!(bus.present(&[user(2)]).await.unwrap().len(), 0, "the lease is over");
    assert_eq!(presence(&ada), []);
    seconds(3.0).await;
    assert_eq!(presence(&ada), [(user(2), Offline)]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_word_is_made_good_by_the_leases() {
    let bus = MemoryBus::new();
    let one = House::on(&bus);
    let ada = one.enter(user(1)).await;
    let attendance = &one.gateway.attendance;
    attendance.heard(&one.gateway.rooms, ROOM, user(9), Online);
    assert_eq!(presence(&ada), [(user(9), Online)]);
    seconds((limits::PRESENCE_COMPARISON + limits::PRESENCE_LEASE).as_secs_f64() + 5.0).await;
    assert_eq!(presence(&ada), [(user(9), Offline)], "no lease has it");
}

#[tokio::test(start_paused = true)]
async fn a_socket_is_told_of_somebody_once_a_second_and_never_misses_the_last() {
    let bus = MemoryBus::new();
    let (one, two) = (House::on(&bus), House::on(&bus));
    let (ada, bob) = (one.enter(user(1)).await, two.enter(user(2)).await);
    presence(&ada);
    presence(&bob);
    for turn in 0..20 {
        let status = if turn % 2 == 0 { Away } else { Online };
        two.gateway.attendance.set(user(2), bob.ws, status);
        seconds(0.15).await;
    }
    two.gateway.attendance.set(user(2), bob.ws, Away);
    seconds(3.0).await;
    let told = presence(&ada);
    assert!(told.len() <= 5, "told {} times in four seconds", told.len());
    assert_eq!(told.last(), Some(&(user(2), Away)));
    assert_eq!(presence(&bob), [], "nobody is told of oneself");
}
