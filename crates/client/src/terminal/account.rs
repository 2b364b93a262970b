//! Accounts and logins.

use std::io::BufRead;

use anyhow::Context;
use chat_client::{Http, Login, Session, Shelf};

use super::{print::Output, store};

#[derive(clap::Args)]
pub struct Credentials {
    username: String,
    /// Read the password from the first line of the input instead of asking for it
    #[arg(long)]
    password_stdin: bool,
}

impl Credentials {
    fn password(&self) -> anyhow::Result<String> {
        if !self.password_stdin {
            return rpassword::prompt_password("Password: ").context("no terminal to ask for the password");
        }
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line)?;
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }
}

pub async fn register(url: &str, by: &Credentials, shelf: store::File, output: Output) -> anyhow::Result<()> {
    let login = Login::register(&Http::new(url)?, &by.username, &by.password()?).await?;
    keep(&login, &shelf, output)
}

pub async fn login(url: &str, by: &Credentials, shelf: store::File, output: Output) -> anyhow::Result<()> {
    let login = Login::login(&Http::new(url)?, &by.username, &by.password()?, "chat in a terminal").await?;
    keep(&login, &shelf, output)
}

fn keep(login: &Login, shelf: &store::File, output: Output) -> anyhow::Result<()> {
    shelf.store(login).context("the session could not be kept")?;
    output.object(&login.user, || format!("logged in as {}", login.user.username))
}

pub async fn logout(url: &str, shelf: store::File) -> anyhow::Result<()> {
    let Some(login) = shelf.load()? else { return Ok(()) };
    let session = Session::new(Http::new(url)?, login, chat_client::Nowhere);
    session.logout().await?;
    shelf.forget().context("the session could not be forgotten")
}
