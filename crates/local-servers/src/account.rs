//! Whom a server runs as: Postgres refuses root.

use std::{
    fs,
    os::unix::{self, fs::MetadataExt, process::CommandExt},
    path::Path,
    process::Command,
};

use anyhow::Context;

use crate::process::{bound, is_root};

/// `nobody`, where the machine has neither that account nor Postgres's.
const NOBODY: u32 = 65534;
/// Finds its way through folders that are closed to its user, as root does.
const ABLE: &str = "-all,+dac_override";

#[derive(Clone, Copy)]
pub(crate) enum RunAs {
    Myself,
    User {
        uid: u32,
        gid: u32,
    },
    /// A user to whom a folder on the way is closed. A user namespace would do too, but containers often forbid it.
    Able {
        uid: u32,
        gid: u32,
    },
}

impl RunAs {
    /// Somebody who can run what is in `programs` and keep data in `folder`; whoever keeps `data` already, if there are some.
    ///
    /// # Errors
    /// When the accounts of the machine can't be read.
    pub(crate) fn on(programs: &Path, folder: &Path, data: &Path) -> anyhow::Result<Self> {
        if !is_root() {
            return Ok(Self::Myself);
        }
        let accounts = fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
        let account = |name: &str| {
            let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
            let mut fields = line.split(':').skip(2);
            Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
        };
        let keeper = || data.metadata().ok().map(|data| (data.uid(), data.gid()));
        let found = keeper().or_else(|| account("postgres")).or_else(|| account("nobody"));
        let (uid, gid) = found.unwrap_or((NOBODY, NOBODY));
        let user = Self::User { uid, gid };
        let reaches = |path: &Path| {
            let mut look = user.command(Path::new("test"));
            look.arg("-x").arg(path).status().is_ok_and(|status| status.success())
        };
        Ok(if reaches(programs) && reaches(folder) {
            user
        } else {
            Self::Able { uid, gid }
        })
    }

    /// A program that ends as `pg_ctl stop` ends a server, if not before then with this process.
    pub(crate) fn command(self, program: &Path) -> Command {
        match self {
            Self::Myself => bound(program, "INT"),
            Self::User { uid, gid } => {
                let mut command = bound(program, "INT");
                command.uid(uid).gid(gid);
                command
            }
            Self::Able { uid, gid } => {
                let mut command = Command::new("setpriv");
                command
                    .args(["--pdeathsig", "INT", "--clear-groups"])
                    .args(["--reuid", &uid.to_string(), "--regid", &gid.to_string()])
                    .args(["--inh-caps", ABLE, "--ambient-caps", ABLE, "--"])
                    .arg(program);
                command
            }
        }
    }

    pub(crate) fn give(self, path: &Path) -> anyhow::Result<()> {
        if let Self::User { uid, gid } | Self::Able { uid, gid } = self {
            unix::fs::chown(path, Some(uid), Some(gid))?;
        }
        Ok(())
    }
}
