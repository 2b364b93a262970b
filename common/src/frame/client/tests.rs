//! What is taken, and how the rest is refused.

use super::*;
use crate::Code;

const ROOM: &str = "0198c0de-7a2b-7c3d-8e4f-0123456789ab";

#[test]
fn what_is_no_frame_closes_the_socket() {
    for text in [
        "",
        "nonsense",
        "[]",
        "\"x\"",
        "{}",
        r#"{"type":1}"#,
        r#"{"type":"ping""#,
        r#"{"type":null}"#,
    ] {
        assert_eq!(ClientFrame::parse(text), Err(Rejected::Malformed), "{text}");
    }
}

#[test]
fn bad_fields_are_told_with_what_could_be_read() {
    let text = format!(r#"{{"type":"send","ref":"7","roomId":"{ROOM}","messageId":"x","message":"hi"}}"#);
    let Err(Rejected::Invalid {
        reference,
        room_id,
        message_id,
        problem,
    }) = ClientFrame::parse(&text)
    else {
        panic!("taken: {text}");
    };
    assert_eq!((reference.as_deref(), message_id), (Some("7"), None));
    assert_eq!(room_id, Some(ROOM.parse().unwrap()));
    assert_eq!(problem.code, Code::InvalidRequest);
}

#[test]
fn lone_surrogates_and_nul_are_bad_fields_not_bad_frames() {
    for message in [r"\ud800", r"a\u0000b", "   "] {
        let text = format!(r#"{{"type":"send","roomId":"{ROOM}","messageId":"{ROOM}","message":"{message}"}}"#);
        assert!(
            matches!(ClientFrame::parse(&text), Err(Rejected::Invalid { .. })),
            "{message}"
        );
    }
}

#[test]
fn one_body_is_taken_and_unknown_fields_are_ignored() {
    let with = |rest: &str| {
        ClientFrame::parse(&format!(
            r#"{{"type":"send","roomId":"{ROOM}","messageId":"{ROOM}","new":[1]{rest}}}"#
        ))
    };
    assert!(matches!(
        with(r#","message":"hi""#),
        Ok(ClientFrame {
            request: Request::Send(_),
            ..
        })
    ));
    assert!(matches!(with(""), Err(Rejected::Invalid { .. })));
}

#[test]
fn what_a_client_writes_is_read_as_what_it_meant() {
    let read = |text: &str| ClientFrame::parse(text).unwrap();
    for text in [
        format!(r#"{{"ref":"1","type":"join","rooms":[{{"roomId":"{ROOM}","afterSeq":3,"logId":"{ROOM}"}}]}}"#),
        format!(r#"{{"ref":"2","type":"send","roomId":"{ROOM}","messageId":"{ROOM}","message":"hi"}}"#),
        format!(r#"{{"type":"leave","roomId":"{ROOM}"}}"#),
        format!(r#"{{"type":"typing","roomId":"{ROOM}","typing":true}}"#),
        format!(r#"{{"type":"read","roomId":"{ROOM}","seq":9}}"#),
        r#"{"type":"presence","status":"away"}"#.to_owned(),
        r#"{"ref":"3","type":"auth","accessToken":"a.b.c"}"#.to_owned(),
        r#"{"type":"ping"}"#.to_owned(),
    ] {
        assert_eq!(serde_json::to_string(&read(&text)).unwrap(), text);
    }
}
