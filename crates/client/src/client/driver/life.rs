//! The line's life: it is opened, watched, renewed and lost.

use common::{
    RoomId,
    bucket::Bucket,
    frame::{Auth, CloseCode, Request},
};
use service::minted;

use super::{Driver, rate};
use crate::{
    backoff,
    client::{
        Heard,
        line::{self, Arrived, Trouble},
        timers::Due,
    },
    limits::{FAILURES_OF_A_RENEWAL, PING, SILENCE},
    socket::{Socket, SocketError},
};

impl Driver {
    pub(super) fn connect(&mut self) {
        let (session, url, is_doubted) = (self.session.clone(), self.url.clone(), self.is_doubted);
        self.wait_for(async move { Arrived::Opened(line::open(&session, &url, is_doubted).await) });
    }

    pub(super) async fn arrive(&mut self, arrived: Arrived) {
        match arrived {
            Arrived::Opened(Ok(socket)) => self.opened(socket).await,
            Arrived::Opened(Err(trouble)) => self.troubled(trouble),
            Arrived::Page(room, page) => {
                let effects = self.core.fetched(room, page);
                self.heed(effects);
            }
            Arrived::Renewed(Ok(access_token)) => {
                self.say(Request::Auth(Auth { access_token })).await;
                self.plan_renewal().await;
            }
            Arrived::Renewed(Err(error)) if error.is_signed_out() => self.troubled(error.into()),
            Arrived::Renewed(Err(_)) => self.timers.set(Due::Renew, backoff::jittered(FAILURES_OF_A_RENEWAL)),
        }
    }

    pub(super) async fn opened(&mut self, socket: Box<Socket>) {
        self.limits = socket.welcome.limits.clone();
        self.sends = Bucket::full(rate(&self.limits), self.now_ms());
        self.socket = Some(socket);
        self.is_doubted = false;
        self.tell(Heard::Online);
        self.core.connected();
        self.watch();
        self.plan_renewal().await;
        let rooms: Vec<RoomId> = self.wanted.keys().copied().collect();
        for rooms in rooms.chunks(self.limits.rooms_per_join.max(1)) {
            self.join(rooms).await;
        }
        self.flush().await;
    }

    pub(super) async fn plan_renewal(&mut self) {
        let renew_at = self.session.login().await.renew_at;
        self.timers.set(Due::Renew, renew_at.since(minted::now()));
    }

    /// Something was heard just now.
    pub(super) fn watch(&mut self) {
        self.timers.set(Due::Ping, PING);
        self.timers.set(Due::Silence, SILENCE);
    }

    pub(super) fn lost(&mut self, error: SocketError) {
        self.socket = None;
        self.is_doubted |= matches!(error, SocketError::Closed(code) if code == CloseCode::TokenEnded.number());
        self.core.lost();
        self.timers.clear();
        self.troubled(error.into());
    }

    pub(super) fn troubled(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::SignedOut(why) => {
                self.socket = None;
                self.timers.clear();
                self.is_over = true;
                self.tell(Heard::SignedOut { why });
            }
            Trouble::Passing { why, retry_after } => {
                self.failures += 1;
                self.timers
                    .set(Due::Connect, retry_after.max(backoff::jittered(self.failures)));
                self.tell(Heard::Offline { why });
            }
        }
    }
}
