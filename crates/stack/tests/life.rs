//! A stack's life as its user sees it: it comes up, goes down, is killed, and comes up again on the same data. In many
//! processes the services are the programs beside it, as the last build left them.

#![allow(clippy::unwrap_used)]

use std::{
    fs,
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use local_servers::{TempDir, is_alive, scratch};
use rustix::process::{Pid, Signal, kill_process};
use stack::Endpoints;

const PATIENCE: Duration = Duration::from_secs(60);

/// A folder for one stack.
struct Data(TempDir);

impl Data {
    fn new(name: &str) -> Self {
        Self(scratch(&format!("life-{name}")).unwrap())
    }

    fn command(&self, word: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stack"));
        command.arg(word).arg("--data").arg(self.0.path());
        command
    }

    fn run(&self, word: &str, more: &[&str]) -> Output {
        self.command(word).args(more).output().unwrap()
    }

    fn up(&self, topology: &str) -> Running {
        let mut command = self.command("up");
        command
            .args(["--port", "0", "--topology", topology])
            .stdout(Stdio::null());
        let mut running = Running {
            child: command.spawn().unwrap(),
            endpoints: None,
        };
        let since = Instant::now();
        while running.endpoints.is_none() {
            assert!(since.elapsed() < PATIENCE, "not ready in time");
            assert_eq!(running.child.try_wait().unwrap(), None, "it ended at once");
            std::thread::sleep(Duration::from_millis(20));
            let mine = |at: &Endpoints| at.pids["stack"] == [running.child.id()];
            running.endpoints = Endpoints::read(self.0.path()).ok().filter(mine);
        }
        running
    }
}

struct Running {
    child: Child,
    endpoints: Option<Endpoints>,
}

impl Running {
    fn at(&self) -> &Endpoints {
        self.endpoints.as_ref().unwrap()
    }

    fn pids(&self) -> Vec<u32> {
        self.at().pids.values().flatten().copied().collect()
    }

    /// Sends the stack alone a signal; returns once no process of it is left, nor memory that they shared.
    fn end(&mut self, signal: Signal) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        let code = self.child.wait().unwrap().code();
        let since = Instant::now();
        for pid in self.pids() {
            while is_alive(pid) {
                assert!(since.elapsed() < PATIENCE, "{pid} still lives: {:?}", self.at().pids);
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        let segments = fs::read_to_string("/proc/sysvipc/shm").unwrap();
        let creator = |line: &str| line.split_whitespace().nth(4)?.parse::<u32>().ok();
        let left: Vec<_> = segments
            .lines()
            .filter_map(creator)
            .filter(|pid| self.pids().contains(pid))
            .collect();
        assert!(left.is_empty(), "shared memory of {left:?} is left");
        code
    }

    /// A request to the one origin: the answer's status, 0 for none.
    fn ask(&self, method: &str, path: &str, body: &str) -> u16 {
        let host = self.at().web.strip_prefix("http://").unwrap();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        let exchange = || -> io::Result<String> {
            let mut stream = TcpStream::connect(host)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.write_all(request.as_bytes())?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        let answer = exchange().unwrap_or_default();
        answer.split(' ').nth(1).map_or(0, |status| status.parse().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = local_servers::stop(self.child.id(), Signal::TERM, PATIENCE);
        let _ = self.child.wait();
    }
}

const ADA: &str = r#"{"username":"ada","password":"correct horse battery"}"#;

fn lives_on(topology: &str, stop: Signal) {
    let data = Data::new(&format!("on-{topology}"));
    let mut first = data.up(topology);
    assert_eq!(first.ask("POST", "/auth/register", ADA), 201);
    assert_eq!(first.end(stop), Some(0));
    assert!(Endpoints::read(data.0.path()).is_err());

    let mut second = data.up(topology);
    assert_eq!(second.ask("POST", "/auth/login", ADA), 200, "data survive a stop");
    assert_eq!(second.end(Signal::KILL), None);

    let third = data.up(topology);
    assert_eq!(third.ask("POST", "/auth/login", ADA), 200, "data survive a kill");
    assert!(data.run("down", &[]).status.success());
    assert!(!third.pids().into_iter().any(is_alive));
}

#[test]
fn one_process_leaves_nothing_but_its_data() {
    // As Ctrl-C does.
    lives_on("single", Signal::INT);
}

#[test]
fn many_processes_leave_nothing_but_their_data() {
    // As a terminal does that is closed.
    lives_on("split", Signal::HUP);
}

#[test]
fn a_process_that_is_killed_comes_back_on_its_port() {
    let data = Data::new("back");
    let running = data.up("split");
    assert_eq!(running.ask("POST", "/auth/register", ADA), 201);
    for name in ["edge-auth", "db-core", "redis", "postgres"] {
        let old = running.at().pids[name][0];
        kill_process(Pid::from_raw(old as i32).unwrap(), Signal::KILL).unwrap();
        let since = Instant::now();
        let patient = |what: &str| {
            assert!(since.elapsed() < PATIENCE, "{name}: {what}");
            std::thread::sleep(Duration::from_millis(50));
        };
        while Endpoints::read(data.0.path()).map_or(true, |at| at.pids[name] == [old]) {
            patient("was not started again");
        }
        while running.ask("POST", "/auth/login", ADA) != 200 {
            patient("does nothing");
        }
    }
    assert!(data.run("down", &[]).status.success());
}

#[test]
fn a_second_one_says_so_and_touches_nothing() {
    let data = Data::new("twice");
    let first = data.up("single");
    let before = fs::read_to_string(data.0.path().join("endpoints.json")).unwrap();
    for more in [&["--port", "0"][..], &["--port", "0", "--detach"]] {
        let second = data.run("up", more);
        assert!(!second.status.success());
        let words = String::from_utf8(second.stderr).unwrap();
        assert!(
            words.contains("already running") && words.contains(&first.at().web),
            "{words}"
        );
    }
    assert_eq!(
        fs::read_to_string(data.0.path().join("endpoints.json")).unwrap(),
        before
    );
    assert_eq!(first.ask("GET", "/api/health", ""), 200);
}

#[test]
fn a_port_that_is_taken_and_a_redis_that_is_away_are_told() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let data = Data::new("told");
    let refused = data.run("up", &["--port", &port]);
    assert!(!refused.status.success());
    let words = String::from_utf8(refused.stderr).unwrap();
    assert!(words.contains(&port) && words.contains("--port 0"), "{words}");

    let nowhere = format!("redis://127.0.0.1:{port}");
    assert!(
        data.run("up", &["--port", "0", "--detach", "--redis", &nowhere])
            .status
            .success()
    );
    let words = fs::read_to_string(data.0.path().join("logs/up.log")).unwrap();
    assert!(words.contains("Redis does not answer"), "{words}");
    assert!(data.run("down", &[]).status.success());
}

#[test]
fn down_stops_only_what_runs_there() {
    let (data, other) = (Data::new("here"), Data::new("there"));
    let first = data.up("single");
    let words = other.run("down", &[]);
    assert!(words.status.success() && String::from_utf8(words.stdout).unwrap().contains("nothing is running"));
    assert_eq!(first.ask("GET", "/api/health", ""), 200);
}

#[test]
fn detached_it_returns_when_it_is_ready() {
    let data = Data::new("detached");
    let up = data.run("up", &["--port", "0", "--detach", "--gateways", "3"]);
    let at = Endpoints::read(data.0.path()).unwrap();
    assert_eq!(String::from_utf8(up.stdout).unwrap(), format!("ready {}\n", at.web));
    assert_eq!(at.ws.len(), 3);
    let down = data.run("down", &[]);
    assert!(down.status.success() && !at.pids.values().flatten().any(|pid| is_alive(*pid)));
}
