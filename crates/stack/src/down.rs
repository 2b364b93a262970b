//! Stops what an `up` started on a folder, and only that: whoever holds the folder's lock.

use std::{path::Path, time::Duration};

use anyhow::Context;
use rustix::process::Signal;
use stack::{Endpoints, Folder};

const PATIENCE: Duration = Duration::from_secs(60);

pub fn run(data: &Path) -> anyhow::Result<()> {
    if !Folder::is_taken(data) {
        println!("nothing is running on {}", data.display());
        return Ok(());
    }
    let running = Endpoints::read(data).context("the stack is just starting or stopping; try again")?;
    let process = running
        .pids
        .get("stack")
        .and_then(|pids| pids.first())
        .context("endpoints.json names no process")?;
    local_servers::stop(*process, Signal::TERM, PATIENCE)?;
    println!("stopped {}", running.web);
    Ok(())
}
