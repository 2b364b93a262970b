//! One connection of the load: non-blocking, with what was not yet written and the start of a frame that was not yet read
//! whole.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use mio::{Interest, Registry, Token, net::TcpStream};
use socket2::{Domain, Protocol, Socket, Type};

use crate::{frame, watch::Watch};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Upgrading,
    /// So many rooms have not answered yet.
    Entering(usize),
    Ready,
    Ended,
}

/// Whether a connection takes what comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    Eager,
    Stopped,
}

pub struct Connection {
    stream: TcpStream,
    pub stage: Stage,
    pub reading: Reading,
    pub watches: Vec<Watch>,
    out: Vec<u8>,
    rest: Vec<u8>,
}

/// What a reader that does not read holds in its kernel: little, so that the server soon notices.
const SLOW_BUFFER_BYTES: usize = 16 * 1024;
/// Clients of one address; its ports would run out otherwise.
const PER_ADDRESS: usize = 5_000;

impl Connection {
    /// # Errors
    /// When the connection is refused at once.
    pub fn open(
        registry: &Registry,
        number: usize,
        server: SocketAddr,
        reading: Reading,
        request: &str,
    ) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        // Nothing of a closed connection stays, or many runs would use up the ports.
        socket.set_linger(Some(Duration::ZERO))?;
        if reading == Reading::Stopped {
            socket.set_recv_buffer_size(SLOW_BUFFER_BYTES)?;
        }
        let from = Ipv4Addr::new(127, 0, 0, 2 + u8::try_from(number / PER_ADDRESS).unwrap_or(u8::MAX - 2));
        socket.bind(&SocketAddr::from((from, 0)).into())?;
        match socket.connect(&server.into()) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(IN_PROGRESS) => {}
            Err(error) => return Err(error),
        }
        let mut stream = TcpStream::from_std(socket.into());
        registry.register(&mut stream, Token(number), Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self {
            stream,
            stage: Stage::Upgrading,
            reading: Reading::Eager,
            watches: Vec::new(),
            out: request.as_bytes().to_vec(),
            rest: Vec::new(),
        })
    }

    pub fn say(&mut self, opcode: u8, payload: &[u8]) {
        frame::from_client(opcode, payload, &mut self.out);
        self.flush();
    }

    pub fn flush(&mut self) {
        while !self.out.is_empty() {
            match self.stream.write(&self.out) {
                Ok(written) => drop(self.out.drain(..written)),
                Err(error) if is_soon(&error) => return,
                Err(_) => return self.stage = Stage::Ended,
            }
        }
    }

    /// Reads what is there into `buffer`, behind what is left of the last frame, and says how many bytes there are.
    /// `None` once there is no more.
    pub fn read(&mut self, buffer: &mut [u8]) -> Option<Chunk> {
        let kept = self.rest.len();
        buffer[..kept].copy_from_slice(&self.rest);
        match self.stream.read(&mut buffer[kept..]) {
            Ok(0) => {
                self.stage = Stage::Ended;
                None
            }
            Ok(read) => {
                self.rest.clear();
                // A short read has emptied the socket.
                let more = kept + read == buffer.len();
                Some(Chunk {
                    length: kept + read,
                    more,
                })
            }
            Err(error) if is_soon(&error) => None,
            Err(_) => {
                self.stage = Stage::Ended;
                None
            }
        }
    }

    /// Keeps the start of a frame for the next read.
    pub fn keep(&mut self, rest: &[u8]) {
        self.rest.extend_from_slice(rest);
    }
}

pub struct Chunk {
    pub length: usize,
    pub more: bool,
}

/// `EINPROGRESS` on Linux.
const IN_PROGRESS: i32 = 115;

fn is_soon(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted | io::ErrorKind::NotConnected
    )
}
