//! Read markers on their way to sockets.

use bus::{Announcement, Bus, Topic, announcement::Signal};
use common::{Seq, frame::ServerFrame};

use super::*;

async fn announce(bus: &MemoryBus, topic: Topic, reader: UserId, seq: u64) {
    let signal = Signal::Read {
        room_id: ROOM,
        user_id: reader,
        seq: Seq::try_from(seq).unwrap(),
    };
    let encoded = Announcement::signal(topic, signal).encoded();
    bus.publish(vec![encoded]).await.unwrap();
    tokio::task::yield_now().await;
}

fn read(guest: &Guest) -> Vec<u64> {
    let frames = guest.told("read");
    frames.iter().map(|frame| frame["seq"].as_u64().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn markers_reach_the_readers_sockets_and_the_others_once_a_second() {
    let bus = MemoryBus::new();
    let (one, two) = (House::on(&bus), House::on(&bus));
    one.gateway.follow_user(user(1)).await;
    let (here, ada) = (one.enter(user(1)).await, two.enter(user(2)).await);
    for seq in 1..=5 {
        announce(&bus, Topic::User(user(1)), user(1), seq).await;
        announce(&bus, Topic::Room(ROOM), user(1), seq).await;
    }
    announce(&bus, Topic::Room(ROOM), user(1), 3).await;
    seconds(0.5).await;
    assert_eq!(read(&here), [1], "from the user's topic alone");
    assert_eq!(read(&ada), [1]);
    seconds(1.0).await;
    assert_eq!(read(&here), [5]);
    assert_eq!(read(&ada), [5], "the furthest is not lost");
    announce(&bus, Topic::User(user(2)), user(1), 9).await;
    seconds(2.0).await;
    assert_eq!(read(&ada), [0; 0], "a topic speaks of its own user only");
}

#[tokio::test(start_paused = true)]
async fn after_left_nothing_more_of_the_room_comes() {
    let bus = MemoryBus::new();
    let house = House::on(&bus);
    house.gateway.follow_user(user(1)).await;
    let (away, elsewhere) = (house.enter(user(1)).await, house.enter(user(1)).await);
    house.gateway.rooms.leave(away.ws, ROOM);
    let (reference, room_id) = (None, ROOM);
    away.outbox.answer(&ServerFrame::Left { reference, room_id });
    announce(&bus, Topic::User(user(1)), user(1), 3).await;
    seconds(2.0).await;
    assert_eq!(read(&elsewhere), [3]);
    assert_eq!(read(&away), [0; 0]);
    house.join(&away).await;
    announce(&bus, Topic::User(user(1)), user(1), 4).await;
    seconds(2.0).await;
    assert_eq!(read(&away), [4], "joined again");
}
