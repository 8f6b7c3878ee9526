//! A worker in a network of its own, whose packets are lost for a while.

use super::singles::{AGAIN, PATIENCE, Witnesses, store_of};
use crate::load::TASKS;
use crate::observe::quiet;
use crate::server::{Launch, eventually};
use libtest_mimic::{Completion, Failed};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};

/// What a worker says whose end came too late.
const REFUSED: &str = "an end came too late and was refused";

/// A network with one link to ours, gone with this value.
struct Network {
    name: String,
    /// Our end of the link.
    end: String,
    here: String,
}

impl Network {
    /// Makes one; nothing where that is not allowed.
    fn make() -> Option<Self> {
        let number = std::process::id() % 16_000;
        let (name, end) = (format!("longshore-{number}"), format!("ls{number}"));
        let there = format!("lt{number}");
        // 198.18.0.0/15 is for tests like this one (RFC 2544).
        let net = |host: u32| format!("198.18.{}.{}", number / 64, 4 * (number % 64) + host);
        let network = Self { name, end, here: net(1) };
        let Self { name, end, here } = &network;
        let made = [
            format!("netns add {name}"),
            format!("link add {end} type veth peer name {there} netns {name}"),
            format!("addr add {here}/30 dev {end}"),
            format!("link set {end} up"),
            format!("-n {name} addr add {}/30 dev {there}", net(2)),
            format!("-n {name} link set {there} up"),
        ];
        made.iter().all(|line| ip(line)).then_some(network)
    }

    /// Loses all packets from now on, or none.
    fn cut(&self, is_cut: bool) -> Result<(), Failed> {
        let way = if is_cut { "down" } else { "up" };
        let done = ip(&format!("link set {} {way}", self.end));
        if done { Ok(()) } else { Err(format!("the link could not be set {way}").into()) }
    }

    /// Leads whoever is inside to `target`; returns where that is to be asked.
    fn lead_to(&self, target: SocketAddr) -> Result<SocketAddr, Failed> {
        let door = TcpListener::bind((self.here.as_str(), 0))?;
        let addr = door.local_addr()?;
        std::thread::spawn(move || {
            for inside in door.incoming().flatten() {
                // A target that is not there closes its clients' connections.
                if let Ok(outside) = TcpStream::connect(target) {
                    let both = [(&inside, &outside), (&outside, &inside)];
                    for (from, to) in both {
                        let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else { break };
                        std::thread::spawn(move || forward(from, to));
                    }
                }
            }
        });
        Ok(addr)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // The link goes with one of its ends.
        let _ = ip(&format!("link del {}", self.end));
        let _ = ip(&format!("netns del {}", self.name));
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(std::net::Shutdown::Both);
}

fn ip(line: &str) -> bool {
    let mut command = Command::new("ip");
    command.args(line.split(' ')).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

pub(crate) fn a_worker_whose_packets_are_lost_ends_nothing_twice() -> Result<Completion, Failed> {
    let url = match store_of("partition") {
        Ok(url) => url,
        Err(missing) => return Ok(Completion::ignored_with(missing)),
    };
    let Some(network) = Network::make() else {
        return Ok(Completion::ignored_with("needs root and ip, to make a network"));
    };
    let it = Witnesses::called()?;
    let database = address(&url)?;
    let inside = url.replace(&database.to_string(), &network.lead_to(database)?.to_string());
    let server = it.watched(Launch::on_store(&url).accept_only()).start()?;
    let lost = it.watched(Launch::worker("--store", &inside)).inside(&network.name).start()?;
    let ids = it.submit(&mut server.client(), 4, "6s")?;
    it.begun(&ids, 1, PATIENCE)?;
    network.cut(true)?;
    let other = it.watched(Launch::worker("--store", &url)).start()?;
    it.begun(&ids, 2, AGAIN)?;
    let ended = quiet(&mut server.client(), PATIENCE)?;
    network.cut(false)?;
    let refused = eventually("its ends are refused", PATIENCE, || {
        let count = lost.stderr().matches(REFUSED).count();
        Ok((count == ids.len()).then_some(count))
    });
    refused.map_err(|_| format!("its ends are not refused:\n{}", lost.stderr()))?;
    if quiet(&mut server.client(), PATIENCE)? != ended || ended.len() != ids.len() {
        return Err("a late end changed something".into());
    }
    for (id, task) in &ended {
        let attempts = server.client().get(&format!("{TASKS}/{id}/attempts"))?.data();
        // A worker that hears of settings just when a task comes gives it back, to claim anew.
        let items = attempts["items"].as_array().ok_or("attempts without items")?;
        let outcomes = items.iter().filter_map(|attempt| attempt["outcome"].as_str());
        let outcomes: Vec<&str> = outcomes.filter(|outcome| *outcome != "released").collect();
        let uncharged = task["status"] == "success" && task["attempt"] == 1;
        if !uncharged || outcomes != ["crashed", "success"] {
            return Err(format!("{task}\n{attempts}").into());
        }
    }
    // It goes on as a worker like any other.
    other.stop()?;
    let new = it.submit(&mut server.client(), 1, "1ms")?;
    it.begun(&new, 1, PATIENCE)?;
    quiet(&mut server.client(), PATIENCE)?;
    lost.stop()?;
    server.stop()?;
    Ok(Completion::Completed)
}

/// Where the server of a store is.
fn address(url: &str) -> Result<SocketAddr, Failed> {
    let (_, rest) = url.split_once('@').ok_or("an address without a user")?;
    let (addr, _) = rest.split_once('/').ok_or("an address without a database")?;
    Ok(addr.parse()?)
}
