//! WebSocket frames (RFC 6455, section 5.2), read where they lie and written without a mask's cost.

use std::ops::Range;

pub const TEXT: u8 = 1;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// Where a frame's content lies, and where the next frame begins.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    pub opcode: u8,
    pub payload: Range<usize>,
}

/// The frame at the start of `bytes`, if it is there as a whole. A client's content is taken as it stands: our own mask is
/// zero, which changes nothing.
pub fn first(bytes: &[u8]) -> Option<Frame> {
    let (&head, &second) = (bytes.first()?, bytes.get(1)?);
    let (length, after): (usize, usize) = match second & 0x7f {
        126 => (usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
        127 => (
            usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?,
            10,
        ),
        short => (usize::from(short), 2),
    };
    let start = after + if second & 0x80 == 0 { 0 } else { 4 };
    let payload = start..start.checked_add(length)?;
    (bytes.len() >= payload.end).then_some(Frame {
        opcode: head & 0x0f,
        payload,
    })
}

/// Appends a client's frame, with a mask of zeros.
pub fn from_client(opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
    write_head(opcode, payload.len(), 0x80, out);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
}

/// Appends a server's frame.
pub fn from_server(payload: &[u8], out: &mut Vec<u8>) {
    write_head(TEXT, payload.len(), 0, out);
    out.extend_from_slice(payload);
}

fn write_head(opcode: u8, length: usize, mask_bit: u8, out: &mut Vec<u8>) {
    out.push(0x80 | opcode);
    match u8::try_from(length) {
        Ok(short) if short < 126 => out.push(mask_bit | short),
        _ => match u16::try_from(length) {
            Ok(middle) => {
                out.push(mask_bit | 126);
                out.extend_from_slice(&middle.to_be_bytes());
            }
            Err(_) => {
                out.push(mask_bit | 127);
                out.extend_from_slice(&(length as u64).to_be_bytes());
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_a_part_is_none() {
        for length in [0, 125, 126, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            let (mut client, mut server) = (Vec::new(), Vec::new());
            from_client(TEXT, &payload, &mut client);
            from_server(&payload, &mut server);
            for bytes in [client, server] {
                let frame = first(&bytes).unwrap();
                assert_eq!((frame.opcode, frame.payload.end), (TEXT, bytes.len()));
                assert_eq!(bytes[frame.payload], payload);
                assert_eq!(first(&bytes[..bytes.len() - 1]), None);
            }
        }
    }
}
