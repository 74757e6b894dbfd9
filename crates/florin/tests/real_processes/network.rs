//! Network namespaces: one for each node, all on one bridge, and the test itself on the bridge too.
//!
//! Everything is made and removed with ip(8), under names that carry the test's process id, so that nothing of the machine is touched.

use std::process::Command;

/// Runs ip(8).
fn ip(arguments: &str) -> Result<(), String> {
    let output = Command::new("ip").args(arguments.split_whitespace()).output().map_err(|error| format!("ip {arguments}: {error}"))?;
    if output.status.success() { Ok(()) } else { Err(format!("ip {arguments}: {}", String::from_utf8_lossy(&output.stderr).trim())) }
}

pub struct Network {
    tag: String,
    nodes: usize,
}

impl Network {
    /// # Errors
    /// Why there can be none here: no root, no ip(8), no namespaces.
    pub fn make(nodes: usize) -> Result<Network, String> {
        // SAFETY: geteuid takes nothing and cannot fail.
        #[allow(unsafe_code, reason = "the standard library does not tell the user id")]
        if unsafe { libc::geteuid() } != 0 {
            return Err("network namespaces need root".to_owned());
        }
        let network = Network { tag: format!("f{}", std::process::id() % 100_000), nodes };
        let tag = &network.tag;
        ip(&format!("link add {tag}br type bridge"))?;
        ip(&format!("link set {tag}br up"))?;
        ip(&format!("addr add {}/24 dev {tag}br", network.address(0)))?;
        for node in 1..=nodes {
            ip(&format!("netns add {tag}n{node}"))?;
            ip(&format!("link add {tag}v{node} type veth peer name eth0 netns {tag}n{node}"))?;
            ip(&format!("link set {tag}v{node} master {tag}br"))?;
            ip(&format!("link set {tag}v{node} up"))?;
            ip(&format!("-n {tag}n{node} link set lo up"))?;
            ip(&format!("-n {tag}n{node} addr add {}/24 dev eth0", network.address(node)))?;
            ip(&format!("-n {tag}n{node} link set eth0 up"))?;
        }
        Ok(network)
    }

    /// Node numbers start at 1; 0 is the test itself.
    pub fn address(&self, node: usize) -> String {
        format!("10.213.{}.{}", std::process::id() % 200 + 1, node + 1)
    }

    pub fn namespace(&self, node: usize) -> String {
        format!("{}n{node}", self.tag)
    }

    pub fn link(&self, node: usize, up: bool) {
        let state = if up { "up" } else { "down" };
        ip(&format!("link set {}v{node} {state}", self.tag)).expect("the link was made by this test");
    }

    /// Packets from one node to another vanish; the other direction works. A neighbour entry that names nobody does it.
    pub fn lose(&self, from: usize, to: usize) {
        let entry =
            format!("-n {} neigh replace {} lladdr 02:00:00:00:ff:ff dev eth0 nud permanent", self.namespace(from), self.address(to));
        ip(&entry).expect("the namespace was made by this test");
    }

    pub fn lose_nothing(&self) {
        for from in 1..=self.nodes {
            // Entries that were never made cannot be removed, which is as well.
            (0..=self.nodes).for_each(|to| drop(ip(&format!("-n {} neigh del {} dev eth0", self.namespace(from), self.address(to)))));
        }
    }

    /// A command that runs in a node's namespace.
    pub fn command(&self, node: usize, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace(node), program]);
        command
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for node in 1..=self.nodes {
            drop(ip(&format!("netns del {}", self.namespace(node))));
        }
        drop(ip(&format!("link del {}br", self.tag)));
    }
}
