//! Whom a server runs as.

use std::path::Path;
use std::process::{Command, Stdio};

/// The user that a server runs as: this one, or, started by root, one without rights.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Account {
    /// Nothing if it is the user who asks.
    user: Option<User>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct User {
    name: String,
    /// Its first group, by number: the name need not be the user's.
    group: String,
}

impl Account {
    /// Returns this user, or the first of `users` that exists if this is root. Tells it if none does.
    pub fn unprivileged(users: &[&str]) -> Result<Self, String> {
        if id(&["-u"]).as_deref() != Some("0") {
            return Ok(Self { user: None });
        }
        let found = users
            .iter()
            .find_map(|name| Some(User { name: (*name).to_owned(), group: id(&["-g", name])? }));
        match found {
            Some(user) => Ok(Self { user: Some(user) }),
            None => Err(format!("there is none of the users {} to run as", users.join(", "))),
        }
    }

    /// Returns a call of a program as this user.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = match &self.user {
            Some(_) => self.setpriv(&[], program.as_ref()),
            None => Command::new(program.as_ref()),
        };
        command.stdin(Stdio::null());
        command
    }

    /// Returns a call of a program that is killed when the thread that starts it ends.
    pub fn mortal(&self, program: impl AsRef<Path>) -> Command {
        let mut command = self.setpriv(&["--pdeathsig", "KILL"], program.as_ref());
        command.stdin(Stdio::null());
        command
    }

    /// Gives a folder to this user. Tells it if he cannot write there all the same, because one above it is closed.
    pub fn own(&self, folder: &Path) -> Result<(), String> {
        let Some(user) = &self.user else { return Ok(()) };
        let owned = Command::new("chown").arg(&user.name).arg(folder).status();
        if !owned.is_ok_and(|status| status.success()) {
            return Err(format!("cannot give {} to {}", folder.display(), user.name));
        }
        let reached = self.command("test").arg("-w").arg(folder).status();
        if !reached.is_ok_and(|status| status.success()) {
            return Err(format!("{} cannot reach {}", user.name, folder.display()));
        }
        Ok(())
    }

    fn setpriv(&self, flags: &[&str], program: &Path) -> Command {
        let mut command = Command::new("setpriv");
        command.args(flags);
        if let Some(user) = &self.user {
            command.args(["--reuid", &user.name, "--regid", &user.group, "--clear-groups"]);
        }
        command.arg("--").arg(program);
        command
    }
}

fn id(args: &[&str]) -> Option<String> {
    let output = Command::new("id").args(args).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Account, id};

    #[test]
    fn a_server_never_runs_as_root() {
        let account = Account::unprivileged(&["no-such-user", "nobody"]).unwrap();
        let output = account.command("id").arg("-u").output().unwrap();
        assert!(output.status.success());
        assert_ne!(String::from_utf8_lossy(&output.stdout).trim(), "0");
    }

    #[test]
    fn where_no_user_is_left_for_root_it_is_told() {
        let found = Account::unprivileged(&["no-such-user"]);
        if id(&["-u"]).as_deref() == Some("0") {
            assert_eq!(found.unwrap_err(), "there is none of the users no-such-user to run as");
        } else {
            assert_eq!(found.unwrap(), Account { user: None });
        }
    }
}
