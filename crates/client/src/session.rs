//! A login of a program: its refresh token comes in the body, and is renewed before the access token runs out.

use std::{any::Any, fmt, io, sync::Arc, time::Duration};

use common::{Timestamp, room::User};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use service::minted;
use tokio::sync::Mutex;

use crate::http::{Answer, Ask, Http, HttpError};

/// What a login gave, to be kept where nobody else reads it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Login {
    pub user: User,
    pub access_token: String,
    /// When to get a new access token, by this machine's clock: a fifth of its life before its end.
    pub renew_at: Timestamp,
    pub refresh_token: String,
    /// The `Idempotency-Key` of the refresh token's one use. It is kept with it, so that a use whose answer was lost may
    /// be made again, however late.
    pub refresh_key: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({})", self.user.username)
    }
}

/// The answer of register, login and refresh.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Granted {
    user: User,
    access_token: String,
    /// Seconds.
    expires_in: u64,
    refresh_token: String,
}

impl From<Granted> for Login {
    fn from(granted: Granted) -> Login {
        let life = Duration::from_secs(granted.expires_in);
        Login {
            user: granted.user,
            access_token: granted.access_token,
            renew_at: minted::now().plus(life * 4 / 5),
            refresh_token: granted.refresh_token,
            refresh_key: minted::random().to_string(),
        }
    }
}

impl Login {
    /// A new account, and a login to it. It is asked for once: a second would find its name taken.
    ///
    /// # Errors
    /// `conflict` for a taken name, `invalid-request` for a bad one or a weak password, `forbidden` where registration is
    /// closed.
    pub async fn register(http: &Http, username: &str, password: &str) -> Result<Self, HttpError> {
        let body = json!({"username": username, "password": password, "tokenDelivery": "body"});
        Self::granted(http, Ask::post("/auth/register", body).keyless()).await
    }

    /// # Errors
    /// `invalid-credentials`, and `rate-limited` after too many of those.
    pub async fn login(http: &Http, username: &str, password: &str, device: &str) -> Result<Self, HttpError> {
        let body = json!({"username": username, "password": password, "device": device, "tokenDelivery": "body"});
        Self::granted(http, Ask::post("/auth/login", body).keyless()).await
    }

    async fn refreshed(&self, http: &Http) -> Result<Self, HttpError> {
        let body = json!({"refreshToken": self.refresh_token});
        Self::granted(http, Ask::post("/auth/refresh", body).key(&self.refresh_key)).await
    }

    async fn granted(http: &Http, ask: Ask) -> Result<Self, HttpError> {
        Ok(http.ask(&ask).await?.read::<Granted>()?.into())
    }
}

/// Where a login outlives its process, maybe shared with others.
pub trait Shelf: Send + Sync {
    /// Waits until no other process renews what lies there. Ends when it is dropped.
    ///
    /// # Errors
    /// When nobody can be kept out.
    fn alone(&self) -> io::Result<Box<dyn Any + Send>>;

    /// What lies there now: another process may have renewed it.
    ///
    /// # Errors
    /// When it can't be read, and so must not be overwritten.
    fn load(&self) -> io::Result<Option<Login>>;

    /// # Errors
    /// When it can't be kept.
    fn store(&self, login: &Login) -> io::Result<()>;
}

/// Keeps nothing.
pub struct Nowhere;

impl Shelf for Nowhere {
    fn alone(&self) -> io::Result<Box<dyn Any + Send>> {
        Ok(Box::new(()))
    }

    fn load(&self) -> io::Result<Option<Login>> {
        Ok(None)
    }

    fn store(&self, _: &Login) -> io::Result<()> {
        Ok(())
    }
}

/// A login that lasts.
pub struct Session {
    http: Http,
    login: Mutex<Login>,
    shelf: Arc<dyn Shelf>,
    seen: std::sync::Mutex<Option<String>>,
}

impl Session {
    pub fn new(http: Http, login: Login, shelf: impl Shelf + 'static) -> Self {
        Self {
            http,
            login: Mutex::new(login),
            shelf: Arc::new(shelf),
            seen: std::sync::Mutex::default(),
        }
    }

    pub fn http(&self) -> &Http {
        &self.http
    }

    pub async fn login(&self) -> Login {
        self.login.lock().await.clone()
    }

    /// An access token that is good for a while.
    ///
    /// # Errors
    /// [`HttpError::is_signed_out`] when the login is over.
    pub async fn token(&self) -> Result<String, HttpError> {
        let mut login = self.login.lock().await;
        if minted::now() >= login.renew_at {
            self.renew_in(&mut login).await?;
        }
        Ok(login.access_token.clone())
    }

    /// Another access token than this one, which was refused.
    ///
    /// # Errors
    /// As [`token`](Self::token).
    pub async fn renewed(&self, refused: &str) -> Result<String, HttpError> {
        let mut login = self.login.lock().await;
        if login.access_token == refused {
            self.renew_in(&mut login).await?;
        }
        Ok(login.access_token.clone())
    }

    /// One at a time, over all processes: two that spend one token would each make up a key for its successor, and the
    /// second use of that would look like theft.
    async fn renew_in(&self, login: &mut Login) -> Result<(), HttpError> {
        let shelf = self.shelf.clone();
        let _alone = match tokio::task::spawn_blocking(move || shelf.alone()).await {
            Ok(Ok(alone)) => Some(alone),
            other => {
                tracing::warn!(?other, "another process may renew the login at the same time");
                None
            }
        };
        if let Ok(Some(kept)) = self.shelf.load()
            && kept.user.id == login.user.id
            && kept.refresh_token != login.refresh_token
        {
            *login = kept;
            if minted::now() < login.renew_at {
                return Ok(());
            }
        }
        *login = login.refreshed(&self.http).await?;
        if let Err(error) = self.shelf.store(login) {
            // The one that is kept leads to the same successor, by its key.
            tracing::warn!(%error, "the renewed login could not be kept");
        }
        Ok(())
    }

    /// Asks as the user, with a renewed token if the present one is refused.
    ///
    /// # Errors
    /// As [`Http::ask`].
    pub async fn ask(&self, ask: Ask) -> Result<Answer, HttpError> {
        let token = self.token().await?;
        let ask = ask.seen(self.latest_seen().clone());
        let mut answer = self.http.ask(&ask.clone().bearer(&token)).await;
        if matches!(&answer, Err(error) if error.is_signed_out()) {
            let token = self.renewed(&token).await?;
            answer = self.http.ask(&ask.bearer(token)).await;
        }
        let answer = answer?;
        if answer.seen.is_some() {
            self.latest_seen().clone_from(&answer.seen);
        }
        Ok(answer)
    }

    fn latest_seen(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Ends the login, also when it has ended already.
    ///
    /// # Errors
    /// As [`Http::ask`].
    pub async fn logout(&self) -> Result<(), HttpError> {
        let body: Value = json!({"refreshToken": self.login().await.refresh_token});
        // A second one finds it done.
        let ask = Ask::post("/auth/logout", body);
        self.http.ask(&ask).await.map(drop)
    }
}
