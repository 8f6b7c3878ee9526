//! Who needs whom: checked before anything runs.

use super::board::Role;
use std::collections::{BTreeMap, BTreeSet};

/// Why components cannot run together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// A name that nothing has.
    #[error("`{component}` needs `{need}`, which is not there; add it or correct the name")]
    Unknown {
        /// Who needs it.
        component: String,
        /// What is not there.
        need: String,
    },
    /// They need each other in a circle.
    #[error("these need each other in a circle: {}", .path.join(" → "))]
    Cycle {
        /// Each needs the next; the last is the first.
        path: Vec<String>,
    },
    /// Two have the same name.
    #[error("there are two of the name `{name}`; names must be unique")]
    Twice {
        /// Their name.
        name: String,
    },
    /// Something else needs it, so it cannot be removed.
    #[error("`{name}` cannot be removed: {} still needs it", .by.join(", "))]
    Needed {
        /// What was to be removed.
        name: String,
        /// Who needs it.
        by: Vec<String>,
    },
    /// Nothing of that name runs here.
    #[error("there is no `{name}`")]
    Missing {
        /// The name.
        name: String,
    },
    /// The supervisor is stopping, or has stopped.
    #[error("the supervisor is stopping, nothing can be added")]
    Stopping,
}

/// One component or hook, as far as the graph is concerned.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) needs: Vec<String>,
}

/// Checks the graph. Returns for each node the `pre_start` hooks that it waits for without naming
/// them. Plain hooks, which need no component, come before everything. The others wait for the plain
/// ones, as do the components they need; all other components wait for all hooks.
pub(super) fn check(nodes: &[Node]) -> Result<BTreeMap<String, Vec<String>>, GraphError> {
    let mut roles = BTreeMap::new();
    for node in nodes {
        if roles.insert(node.name.as_str(), node.role).is_some() {
            return Err(GraphError::Twice { name: node.name.clone() });
        }
    }
    for node in nodes {
        if let Some(need) = node.needs.iter().find(|need| !roles.contains_key(need.as_str())) {
            let (component, need) = (node.name.clone(), need.clone());
            return Err(GraphError::Unknown { component, need });
        }
    }
    let needs: Edges = nodes.iter().map(|node| (node.name.clone(), node.needs.clone())).collect();
    acyclic(&needs)?;
    let gates = gates(nodes, &roles, &needs);
    // Once more with what nobody named: a component that needs a hook which comes after it.
    let components = nodes.iter().filter(|node| node.role == Role::Component);
    let components: Vec<_> = components.map(|node| node.name.clone()).collect();
    let mut all = needs;
    for node in nodes {
        let after_all = matches!(node.role, Role::PostStart | Role::Background);
        let unnamed =
            if after_all && node.needs.is_empty() { &components } else { &gates[&node.name] };
        all.entry(node.name.clone()).or_default().extend(unnamed.iter().cloned());
    }
    acyclic(&all)?;
    Ok(gates)
}

type Edges = BTreeMap<String, Vec<String>>;

fn gates(nodes: &[Node], roles: &BTreeMap<&str, Role>, needs: &Edges) -> Edges {
    let is_component = |name: &String| roles.get(name.as_str()) == Some(&Role::Component);
    let hooks: Vec<_> = nodes.iter().filter(|node| node.role == Role::PreStart).collect();
    let leaned_on: BTreeSet<String> =
        hooks.iter().flat_map(|hook| reach(&hook.name, needs)).filter(is_component).collect();
    let (leaning, plain): (Vec<_>, Vec<_>) =
        hooks.iter().partition(|hook| reach(&hook.name, needs).iter().any(is_component));
    let names = |hooks: &[&&Node]| hooks.iter().map(|hook| hook.name.clone()).collect::<Vec<_>>();
    let (leaning, plain) = (names(&leaning), names(&plain));
    let waits_for = |node: &Node| match node.role {
        Role::PreStart if leaning.contains(&node.name) => plain.clone(),
        Role::PreStart => Vec::new(),
        _ if leaned_on.contains(&node.name) => plain.clone(),
        _ => [plain.clone(), leaning.clone()].concat(),
    };
    nodes.iter().map(|node| (node.name.clone(), waits_for(node))).collect()
}

/// Returns everything that `name` needs, directly or not.
fn reach(name: &str, needs: &Edges) -> BTreeSet<String> {
    let (mut seen, mut next) = (BTreeSet::new(), needs.get(name).cloned().unwrap_or_default());
    while let Some(name) = next.pop() {
        if seen.insert(name.clone()) {
            next.extend(needs.get(&name).into_iter().flatten().cloned());
        }
    }
    seen
}

fn acyclic(edges: &Edges) -> Result<(), GraphError> {
    let mut done = BTreeSet::new();
    for name in edges.keys() {
        descend(name, edges, &mut Vec::new(), &mut done)?;
    }
    Ok(())
}

fn descend<'a>(
    name: &'a String,
    edges: &'a Edges,
    path: &mut Vec<&'a String>,
    done: &mut BTreeSet<&'a String>,
) -> Result<(), GraphError> {
    if let Some(at) = path.iter().position(|seen| *seen == name) {
        let circle = path[at..].iter().copied().chain([name]).cloned().collect();
        return Err(GraphError::Cycle { path: circle });
    }
    if done.contains(name) {
        return Ok(());
    }
    path.push(name);
    for need in edges.get(name).into_iter().flatten() {
        descend(need, edges, path, done)?;
    }
    path.pop();
    done.insert(name);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, role: Role, needs: &[&str]) -> Node {
        let needs = needs.iter().map(|need| (*need).to_owned()).collect();
        Node { name: name.to_owned(), role, needs }
    }

    #[test]
    fn a_need_that_is_not_there_is_named() {
        let error = check(&[node("fetch", Role::Component, &["stroe"])]).expect_err("a typo");
        let text = "`fetch` needs `stroe`, which is not there; add it or correct the name";
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn a_circle_is_shown_without_those_who_only_lead_to_it() {
        let nodes = [
            node("a", Role::Component, &["b"]),
            node("b", Role::Component, &["c"]),
            node("c", Role::Component, &["b"]),
        ];
        let error = check(&nodes).expect_err("a circle");
        assert_eq!(error.to_string(), "these need each other in a circle: b → c → b");
    }

    #[test]
    fn two_of_one_name_are_refused() {
        let nodes = [node("a", Role::Component, &[]), node("a", Role::PostStart, &[])];
        assert_eq!(check(&nodes).expect_err("two"), GraphError::Twice { name: "a".into() });
    }

    #[test]
    fn a_component_cannot_need_what_comes_after_all_components() {
        let nodes = [node("a", Role::Component, &["warm"]), node("warm", Role::PostStart, &[])];
        let error = check(&nodes).expect_err("a circle");
        assert_eq!(error, GraphError::Cycle { path: ["a", "warm", "a"].map(Into::into).into() });
    }

    #[test]
    fn what_a_hook_leans_on_starts_before_it_and_all_else_after() {
        let nodes = [
            node("validate", Role::PreStart, &[]),
            node("reserve", Role::PreStart, &["store"]),
            node("store", Role::Component, &["disk"]),
            node("disk", Role::Component, &[]),
            node("fetch", Role::Component, &["store"]),
        ];
        let gates = check(&nodes).expect("it is fine");
        assert_eq!(gates["disk"], ["validate"]);
        assert_eq!(gates["reserve"], ["validate"]);
        assert_eq!(gates["fetch"], ["validate", "reserve"]);
    }
}
