//! What is printed: lines for people, or JSON for programs.

use std::io::Write;

use common::{
    Timestamp,
    event::{Content, Event, MemberChange, RoomEventChange},
    text::is_control,
};
use serde::Serialize;

#[derive(Clone, Copy)]
pub struct Output {
    is_json: bool,
}

impl Output {
    pub fn new(is_json: bool) -> Self {
        Self { is_json }
    }

    /// # Errors
    /// When nobody reads.
    pub fn object(self, object: &impl Serialize, line: impl FnOnce() -> String) -> anyhow::Result<()> {
        let line = if self.is_json {
            serde_json::to_string(object)?
        } else {
            line()
        };
        let mut out = std::io::stdout().lock();
        writeln!(out, "{line}")?;
        Ok(out.flush()?)
    }

    /// # Errors
    /// When nobody reads.
    pub fn event(self, event: &Event) -> anyhow::Result<()> {
        self.object(event, || line(event))
    }
}

/// On one line, and without what would be more than text.
pub fn clean(text: &str) -> String {
    text.replace(is_control, "\u{fffd}")
}

/// Further lines are marked, so that none of them looks like somebody else's message.
fn indented(text: &str) -> String {
    text.split('\n').map(clean).collect::<Vec<_>>().join("\n       | ")
}

fn line(event: &Event) -> String {
    let seq = event.seq();
    match event {
        Event::Message(message) => {
            let (time, name) = (clock(message.sent_at), clean(&message.sender_name));
            format!("{seq:>6} {time} {name}: {}", content(&message.content))
        }
        Event::Edited(edited) => format!(
            "{seq:>6} * {} now says: {}",
            edited.message_id,
            content(&edited.content)
        ),
        Event::Deleted(deleted) => format!("{seq:>6} * {} was deleted", deleted.message_id),
        Event::Reaction(reaction) => {
            let (user, emoji) = (reaction.user_id, clean(&reaction.emoji));
            format!(
                "{seq:>6} * {user} reacts to {}: {emoji} {:?}",
                reaction.message_id, reaction.op
            )
        }
        Event::Member(member) => {
            let what = match member.change {
                MemberChange::Joined => "joined",
                MemberChange::Added => "was added",
                MemberChange::Left => "left",
                MemberChange::Removed => "was removed",
                MemberChange::Role => "has another role",
            };
            format!("{seq:>6} * {} {what}", member.user_id)
        }
        Event::Room(room) => {
            let what = match room.change {
                RoomEventChange::Created => "was made",
                RoomEventChange::Updated => "was changed",
                RoomEventChange::Deleted => "was deleted",
                RoomEventChange::Epoch => "has new keys",
            };
            format!("{seq:>6} * the room {what}")
        }
    }
}

fn content(content: &Content) -> String {
    match content {
        Content::Message(body) => indented(body.as_str()),
        Content::Envelope(_) => "(sealed)".to_owned(),
        Content::Deleted(_) => "(deleted)".to_owned(),
    }
}

/// Hours and minutes, UTC.
fn clock(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(11..16).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_commands_the_terminal() {
        assert_eq!(
            clean("a\u{1b}[2Jb\nc\u{9b}d\u{202e}"),
            "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d\u{fffd}"
        );
    }

    #[test]
    fn no_message_looks_like_another() {
        assert_eq!(indented("a\n   99 10:00 bob: b"), "a\n       |    99 10:00 bob: b");
    }
}
