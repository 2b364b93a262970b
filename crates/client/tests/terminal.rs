//! `chat` as somebody uses it who has a terminal, or writes a script.

#![allow(clippy::unwrap_used)]

mod support;

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use local_servers::scratch;
use serde_json::Value;
use support::{PASSWORD, Proxy, Stack};

fn chat(home: &Path, url: &str, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chat"));
    command.args(["--url", url]).args(words).env("XDG_CONFIG_HOME", home);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs to its end, with this input.
fn run(mut command: Command, input: &str) -> Output {
    let mut child = command.spawn().unwrap();
    // One that asks for nothing may have ended already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// Its output, where it has to go well.
fn told(command: Command, input: &str) -> String {
    let output = run(command, input);
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{complaint}");
    String::from_utf8(output.stdout).unwrap()
}

fn complaint(command: Command, input: &str) -> String {
    let output = run(command, input);
    assert_eq!(
        output.status.code(),
        Some(1),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    String::from_utf8(output.stderr).unwrap()
}

fn texts(lines: &str) -> Vec<String> {
    let events = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let messages = events.filter(|event| event["type"] == "message");
    messages
        .map(|event| event["message"].as_str().unwrap().to_owned())
        .collect()
}

/// One that goes on until it is dropped.
struct Tail(Child);

impl Drop for Tail {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_a_room_and_what_is_said_in_it() {
    let stack = Stack::start().await;
    let line = Proxy::to(&stack.origin).await;
    let (ada, bob) = (scratch("ada").unwrap(), scratch("bob").unwrap());
    let by_ada = |words: &[&str]| chat(ada.path(), &stack.origin, words);
    let by_bob = |words: &[&str]| chat(bob.path(), &line.origin, words);
    tokio::task::block_in_place(|| {
        assert!(complaint(by_ada(&["rooms"]), "").contains("chat login"));
        let refused = complaint(by_ada(&["register", "ada", "--password-stdin"]), "short\n");
        assert!(refused.contains("(400)") && refused.contains("password"), "{refused}");

        let password = format!("{PASSWORD}\n");
        told(by_ada(&["register", "ada", "--password-stdin"]), &password);
        told(by_bob(&["register", "bob", "--password-stdin"]), &password);
        let kept = fs::metadata(ada.path().join("chat/sessions.json")).unwrap();
        assert_eq!(kept.permissions().mode() & 0o777, 0o600);
        assert!(complaint(by_ada(&["register", "ada", "--password-stdin"]), &password).contains("(409)"));
        assert!(complaint(by_ada(&["login", "ada", "--password-stdin"]), "another one\n").contains("(401)"));
        told(by_ada(&["login", "ada", "--password-stdin"]), &password);

        let room: Value = serde_json::from_str(&told(by_ada(&["create", "Lobby", "--json"]), "")).unwrap();
        let room = room["id"].as_str().unwrap();
        assert!(complaint(by_bob(&["send", "Lobby", "hi"]), "").contains("no room"));
        told(by_bob(&["join", "Lobby"]), "");
        assert!(told(by_ada(&["rooms"]), "").contains(&format!("{room}  Lobby")));

        let mut tail = by_bob(&["tail", "Lobby", "--after", "0", "--json"]).spawn().unwrap();
        let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
        let _tail = Tail(tail);
        let mut next = || loop {
            let said = texts(&lines.next().unwrap().unwrap());
            if let Some(said) = said.into_iter().next() {
                return said;
            }
        };
        told(by_ada(&["send", "Lobby", "one"]), "");
        assert_eq!(next(), "one");
        line.cut();
        told(by_ada(&["send", room, "two"]), "");
        let own = told(by_ada(&["talk", "Lobby", "--json"]), "three\n\nfour\n");
        assert!(texts(&own).ends_with(&["three".to_owned(), "four".to_owned()]), "{own}");
        line.mend();
        assert_eq!(
            [next(), next(), next()],
            ["two", "three", "four"],
            "it comes back by itself"
        );

        let all = told(by_ada(&["tail", "Lobby", "--after", "0", "--no-follow", "--json"]), "");
        assert_eq!(texts(&all), ["one", "two", "three", "four"]);
        let shown = told(by_ada(&["tail", "Lobby", "--after", "4", "--no-follow"]), "");
        assert!(shown.trim_end().ends_with("ada: four"), "{shown}");

        told(by_ada(&["logout"]), "");
        assert!(complaint(by_ada(&["rooms"]), "").contains("chat login"));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn more_lines_than_may_wait_are_sent_and_what_is_no_text_is_told() {
    let stack = Stack::start().await;
    let home = scratch("ada").unwrap();
    let by_ada = |words: &[&str]| chat(home.path(), &stack.origin, words);
    tokio::task::block_in_place(|| {
        told(
            by_ada(&["register", "ada", "--password-stdin"]),
            &format!("{PASSWORD}\n"),
        );
        told(by_ada(&["create", "Lobby"]), "");
        let lines: String = (0..1_200).map(|n| format!("m{n}\n")).collect();
        told(by_ada(&["talk", "Lobby"]), &lines);
        let mut talk = by_ada(&["talk", "Lobby"]).spawn().unwrap();
        talk.stdin.take().unwrap().write_all(b"before\n\xff\nbehind\n").unwrap();
        assert_eq!(
            talk.wait_with_output().unwrap().status.code(),
            Some(1),
            "one line was not sent"
        );
        let log = told(by_ada(&["--json", "tail", "Lobby", "--after", "0", "--no-follow"]), "");
        let mut expected: Vec<String> = (0..1_200).map(|n| format!("m{n}")).collect();
        expected.extend(["before".to_owned(), "behind".to_owned()]);
        assert_eq!(texts(&log), expected);

        fs::write(home.path().join("chat/sessions.json"), "{").unwrap();
        let damaged = complaint(by_ada(&["login", "ada", "--password-stdin"]), &format!("{PASSWORD}\n"));
        assert!(damaged.contains("could not be kept"), "{damaged}");
        assert_eq!(fs::read_to_string(home.path().join("chat/sessions.json")).unwrap(), "{");
    });
}
