//! What each message says: where and by whom it was sent, its number, and when. It stands at the start of the text, so that
//! it is found without parsing the JSON around it.

/// `R S N T` in hexadecimal, of fixed width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    pub room: u32,
    /// The sender's place among the room's senders.
    pub sender: u32,
    /// Of this sender in this room, from 0.
    pub number: u32,
    /// Microseconds since the load began.
    pub sent_us: u64,
}

pub const LENGTH: usize = 4 + 4 + 8 + 12;

impl Stamp {
    pub fn text(&self) -> String {
        format!(
            "{:04x}{:04x}{:08x}{:012x}",
            self.room, self.sender, self.number, self.sent_us
        )
    }

    pub fn read(text: &[u8]) -> Option<Self> {
        let text = text.get(..LENGTH)?;
        Some(Self {
            room: hex(&text[..4])? as u32,
            sender: hex(&text[4..8])? as u32,
            number: hex(&text[8..16])? as u32,
            sent_us: hex(&text[16..])?,
        })
    }
}

fn hex(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |number, digit| {
        let value = char::from(*digit).to_digit(16)?;
        Some(number << 4 | u64::from(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stamped_is_read() {
        let stamp = Stamp {
            room: 999,
            sender: 3,
            number: 1 << 20,
            sent_us: 123_456_789,
        };
        assert_eq!(stamp.text().len(), LENGTH);
        assert_eq!(Stamp::read((stamp.text() + "xxx").as_bytes()), Some(stamp));
        assert_eq!(Stamp::read(b"no stamp at all, whatever it is"), None);
    }
}
