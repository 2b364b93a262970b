//! The floor: a bare loop over epoll that writes the ready bytes to each member of a room. It checks no token, keeps
//! nothing and understands no JSON: whatever a server does more than this shows as its distance.

use std::{
    collections::HashMap,
    io::{self, Read, Write},
};

use mio::{
    Events, Interest, Poll, Registry, Token,
    net::{TcpListener, TcpStream},
};
use socket2::{Domain, Protocol, Socket, Type};

use crate::frame;

const LISTENER: Token = Token(usize::MAX);
const BUFFER_BYTES: usize = 64 * 1024;
const BACKLOG: i32 = 4_096;
const ANSWER: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x12{\"type\":\"welcome\"}";
/// Makes up for what a gateway's message says besides, so that as many bytes are written.
const START: &str = r#"{"type":"message","senderId":"00000000-0000-0000-0000-000000000000","senderName":"Somebody","sentAt":"2000-01-01T00:00:00.000Z","wsId":"00000000-0000-0000-0000-000000000000","place":1000,"#;
const SENT: usize = r#"{"type":"send","#.len();
/// `"roomId":"` and the room.
const ROOM: std::ops::Range<usize> = SENT + 10..SENT + 46;

struct Client {
    stream: TcpStream,
    rooms: Option<Vec<[u8; 36]>>,
    rest: Vec<u8>,
}

struct Floor {
    clients: HashMap<usize, Client>,
    rooms: HashMap<[u8; 36], Vec<usize>>,
}

/// Serves for ever; says on which port.
///
/// # Errors
/// When the machine refuses to listen or poll.
pub fn serve() -> anyhow::Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    socket.listen(BACKLOG)?;
    let mut listener = TcpListener::from_std(socket.into());
    println!("ready {}", listener.local_addr()?.port());
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut floor = Floor {
        clients: HashMap::new(),
        rooms: HashMap::new(),
    };
    let (mut events, mut buffer, mut next) = (Events::with_capacity(1_024), vec![0; BUFFER_BYTES], 0);
    loop {
        if let Err(error) = poll.poll(&mut events, None)
            && error.kind() != io::ErrorKind::Interrupted
        {
            return Err(error.into());
        }
        for event in &events {
            match event.token() {
                LISTENER => accept(&listener, poll.registry(), &mut floor.clients, &mut next)?,
                Token(number) => floor.read(number, &mut buffer),
            }
        }
    }
}

fn accept(
    listener: &TcpListener,
    registry: &Registry,
    clients: &mut HashMap<usize, Client>,
    next: &mut usize,
) -> io::Result<()> {
    loop {
        let mut stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        stream.set_nodelay(true)?;
        registry.register(&mut stream, Token(*next), Interest::READABLE)?;
        let (rooms, rest) = (None, Vec::new());
        clients.insert(*next, Client { stream, rooms, rest });
        *next += 1;
    }
}

impl Floor {
    fn read(&mut self, number: usize, buffer: &mut [u8]) {
        let Some(mut client) = self.clients.remove(&number) else {
            return;
        };
        let alive = loop {
            let kept = client.rest.len();
            buffer[..kept].copy_from_slice(&client.rest);
            let length = match client.stream.read(&mut buffer[kept..]) {
                Ok(0) => break false,
                Ok(read) => kept + read,
                Err(error) => break error.kind() == io::ErrorKind::WouldBlock,
            };
            client.rest.clear();
            let mut at = 0;
            if client.rooms.is_none() {
                at = self.enter(number, &mut client, &buffer[..length]);
            } else {
                // Back among the others: it hears itself.
                self.clients.insert(number, client);
                while let Some(frame) = frame::first(&buffer[at..length]) {
                    if frame.opcode == frame::TEXT {
                        self.pass_on(&buffer[at..length][frame.payload.clone()]);
                    }
                    at += frame.payload.end;
                }
                match self.clients.remove(&number) {
                    Some(back) => client = back,
                    None => return,
                }
            }
            client.rest.extend_from_slice(&buffer[at..length]);
            if length < buffer.len() {
                break true;
            }
        };
        if alive {
            self.clients.insert(number, client);
        } else {
            self.leave(number, &client);
        }
    }

    /// The whole of what the floor knows of HTTP: the rooms in the target, and the end of the head.
    fn enter(&mut self, number: usize, client: &mut Client, head: &[u8]) -> usize {
        const TARGET: usize = "GET /?rooms=".len();
        if !head.ends_with(b"\r\n\r\n") {
            return 0;
        }
        let target = head[TARGET..].split(|byte| *byte == b' ').next().unwrap_or_default();
        let rooms: Vec<[u8; 36]> = target
            .split(|byte| *byte == b',')
            .filter_map(|room| room.try_into().ok())
            .collect();
        for room in &rooms {
            self.rooms.entry(*room).or_default().push(number);
        }
        client.rooms = Some(rooms);
        let _ = client.stream.write(ANSWER);
        head.len()
    }

    fn pass_on(&mut self, sent: &[u8]) {
        let Some(members) = sent.get(ROOM).and_then(|room| self.rooms.get(room)) else {
            return;
        };
        let mut bytes = Vec::with_capacity(START.len() + sent.len() + 8);
        frame::from_server(&[START.as_bytes(), &sent[SENT..]].concat(), &mut bytes);
        let mut gone = Vec::new();
        for member in members {
            let Some(client) = self.clients.get_mut(member) else {
                continue;
            };
            // What does not fit at once does not fit the floor: a slow reader is closed.
            if !matches!(client.stream.write(&bytes), Ok(written) if written == bytes.len()) {
                gone.push(*member);
            }
        }
        for member in gone {
            if let Some(client) = self.clients.remove(&member) {
                self.leave(member, &client);
            }
        }
    }

    fn leave(&mut self, number: usize, client: &Client) {
        for room in client.rooms.iter().flatten() {
            if let Some(members) = self.rooms.get_mut(room) {
                members.retain(|member| *member != number);
            }
        }
    }
}
