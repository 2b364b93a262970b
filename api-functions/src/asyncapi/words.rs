//! What the description says in words, with the numbers of [`limits`].

use std::fmt::Write;

use common::{frame::CloseCode, limits};

/// What holds for the whole socket.
pub fn channel() -> String {
    let mut text = format!(
        "Subprotocol `chat.v1`. The access token comes as `Authorization: Bearer`, or from a browser as a second subprotocol \
         entry `bearer.<jwt>`; never from a cookie or the query. Refused before the upgrade: 400 without `chat.v1`, 401 for a \
         bad or expired token, 403 for a disallowed `Origin`, 429 (also above {sockets} sockets of a user on this pod), 503 while \
         draining. No extension is offered.\n\n\
         A frame is one JSON object as text, from the client at most {frame} bytes, from the server at most {server}. The \
         server puts `type` first; what is not known is ignored. Limits unless `welcome.limits` says otherwise: {rooms} rooms \
         of a socket, {frames} frames a second (burst {frame_burst}), {sends} sends a second (burst {send_burst}). The server \
         pings each {heartbeat} s; {pongs} without a pong end the socket. A reader with {queue} bytes waiting, or that takes \
         nothing for {stall} s, is closed.\n\n\
         Each `seq` of a joined room after `headSeq` comes once and in its order: as its durable frame (`message`, `edited`, \
         `deleted`, `reaction`, `member`, `room`), or as `ack` where this socket sent the message. Typing, `read`, `presence` and \
         `notice` have no place in the log and may be missed.\n\n\
         Close codes (1000 answers the client's own):\n\n| code | meaning |\n|---|---|\n",
        sockets = limits::SOCKETS_PER_USER,
        frame = limits::BODY_BYTES,
        server = limits::SERVER_FRAME_BYTES,
        rooms = limits::ROOMS_PER_SOCKET,
        frames = limits::FRAMES_PER_SECOND,
        frame_burst = limits::FRAME_BURST,
        sends = limits::SENDS_PER_SECOND,
        send_burst = limits::SEND_BURST,
        heartbeat = limits::HEARTBEAT.as_secs(),
        pongs = limits::MISSED_PONGS,
        queue = limits::SOCKET_QUEUE_BYTES,
        stall = limits::SOCKET_STALL.as_secs(),
    );
    for code in CloseCode::ALL {
        // Writing to a string can't fail.
        let _ = writeln!(text, "| {} | {} |", code.number(), code.meaning());
    }
    text
}
