//! The way to a server, which a test cuts, holds up, or leads elsewhere.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinSet,
};

/// How it treats what goes along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Through,
    /// Takes everything and passes nothing on, as a process that hangs.
    Held,
    /// Closes what is open and what comes.
    Cut,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Course {
    manner: Manner,
    target: SocketAddr,
}

/// A port of its own; closed when dropped.
pub struct Path {
    url: String,
    course: watch::Sender<Course>,
    task: tokio::task::JoinHandle<()>,
}

/// Where a server's URL leads to.
pub fn address(url: &str) -> SocketAddr {
    let (_, rest) = url.split_once("://").unwrap();
    let host = rest.split('/').next().unwrap();
    host.rsplit('@')
        .next()
        .unwrap()
        .parse()
        .expect("a URL with an IP address and a port")
}

impl Path {
    pub async fn to(url: &str) -> Self {
        let target = address(url);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = listener.local_addr().unwrap();
        let (course, courses) = watch::channel(Course {
            manner: Manner::Through,
            target,
        });
        let task = tokio::spawn(async move {
            let mut lines = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                lines.spawn(carry(near, courses.clone()));
            }
        });
        Self {
            url: url.replace(&target.to_string(), &near.to_string()),
            course,
            task,
        }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn be(&self, manner: Manner) {
        self.course.send_modify(|course| course.manner = manner);
    }

    /// Closes what is open; what comes goes elsewhere.
    pub fn lead_to(&self, target: SocketAddr) {
        self.course.send_modify(|course| course.target = target);
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(near: TcpStream, mut courses: watch::Receiver<Course>) {
    let began = *courses.borrow_and_update();
    let closed = |course: &Course| course.manner == Manner::Cut || course.target != began.target;
    if closed(&began) {
        return;
    }
    let Ok(far) = TcpStream::connect(began.target).await else {
        return;
    };
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    let (there, back) = (courses.clone(), courses.clone());
    tokio::select! {
        _ = courses.wait_for(closed) => {}
        () = pump(near_in, far_out, there) => {}
        () = pump(far_in, near_out, back) => {}
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut courses: watch::Receiver<Course>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let passes = courses.wait_for(|course| course.manner != Manner::Held).await.is_ok();
        if !passes || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
