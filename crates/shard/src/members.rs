//! Who belongs to a shard: voters, the voters of a change in progress, learners, and which voters are witnesses.
//!
//! The consensus library knows no witness; the set travels beside its own membership, in the context of each change.

use crate::wire::{Malformed, Read, Reader, Writer};
use base::NodeId;
use bytes::Bytes;
use raft::eraftpb::{ConfChangeSingle, ConfChangeTransition, ConfChangeType, ConfChangeV2, ConfState};
use std::collections::BTreeSet;

/// Most members of one shard, of any kind.
pub const MEMBERS_MAX: usize = 64;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Members {
    pub state: ConfState,
    pub witnesses: BTreeSet<NodeId>,
}

/// Members as others see them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberList {
    pub voters: Vec<NodeId>,
    pub witnesses: Vec<NodeId>,
    pub learners: Vec<NodeId>,
    /// A joint change is in progress.
    pub changing: bool,
}

fn id(node: NodeId) -> u64 {
    u64::from(node.0)
}

/// Ids of the library are node ids widened.
pub fn node_of(id: u64) -> NodeId {
    NodeId(u32::try_from(id).expect("the library's ids are our node ids"))
}

impl Members {
    pub fn new(voters: &[NodeId], witnesses: &[NodeId], learners: &[NodeId]) -> Members {
        let mut state = ConfState::default();
        let all: BTreeSet<NodeId> = voters.iter().chain(witnesses).copied().collect();
        state.voters = all.into_iter().map(id).collect();
        state.learners = learners.iter().copied().map(id).collect();
        Members { state, witnesses: witnesses.iter().copied().collect() }
    }

    pub fn is_empty(&self) -> bool {
        self.state.voters.is_empty()
    }

    pub fn contains(&self, node: NodeId) -> bool {
        let id = id(node);
        let s = &self.state;
        s.voters.contains(&id) || s.learners.contains(&id) || s.voters_outgoing.contains(&id) || s.learners_next.contains(&id)
    }

    pub fn is_voter(&self, node: NodeId) -> bool {
        self.state.voters.contains(&id(node))
    }

    /// A voter of the membership, or of the one that is being left.
    pub fn votes(&self, node: NodeId) -> bool {
        self.is_voter(node) || self.state.voters_outgoing.contains(&id(node))
    }

    /// Everyone that gets messages.
    pub fn all(&self) -> BTreeSet<NodeId> {
        let s = &self.state;
        s.voters.iter().chain(&s.learners).chain(&s.voters_outgoing).chain(&s.learners_next).map(|id| node_of(*id)).collect()
    }

    pub fn list(&self) -> MemberList {
        let nodes = |ids: &[u64]| ids.iter().map(|id| node_of(*id)).collect::<BTreeSet<_>>();
        let voters = nodes(&self.state.voters);
        MemberList {
            witnesses: voters.intersection(&self.witnesses).copied().collect(),
            voters: voters.difference(&self.witnesses).copied().collect(),
            learners: nodes(&self.state.learners).into_iter().collect(),
            changing: !self.state.voters_outgoing.is_empty(),
        }
    }

    pub fn write(&self, w: &mut Writer) {
        let s = &self.state;
        for ids in [&s.voters, &s.learners, &s.voters_outgoing, &s.learners_next] {
            w.count(ids.len());
            for id in ids {
                w.u64(*id);
            }
        }
        w.bool(s.auto_leave);
        w.count(self.witnesses.len());
        for node in &self.witnesses {
            w.u32(node.0);
        }
    }

    pub fn read(r: &mut Reader) -> Read<Members> {
        let mut state = ConfState::default();
        state.voters = read_ids(r)?;
        state.learners = read_ids(r)?;
        state.voters_outgoing = read_ids(r)?;
        state.learners_next = read_ids(r)?;
        state.auto_leave = r.bool()?;
        let witnesses = (0..r.count(4)?).map(|_| r.u32().map(NodeId)).collect::<Read<BTreeSet<_>>>()?;
        Ok(Members { state, witnesses })
    }
}

fn read_ids(r: &mut Reader) -> Read<Vec<u64>> {
    let count = r.count(8)?;
    if count > MEMBERS_MAX {
        return Err(Malformed("too many members"));
    }
    (0..count)
        .map(|_| {
            let id = r.u64()?;
            if id == 0 || id > u64::from(u32::MAX) { Err(Malformed("not a node id")) } else { Ok(id) }
        })
        .collect()
}

/// One step of a membership change, in our own encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub add_voters: Vec<NodeId>,
    pub add_learners: Vec<NodeId>,
    pub remove: Vec<NodeId>,
    /// The witnesses once the change is made.
    pub witnesses: BTreeSet<NodeId>,
}

impl Change {
    pub fn len(&self) -> usize {
        self.add_voters.len() + self.add_learners.len() + self.remove.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn encode(&self) -> Bytes {
        let mut w = Writer::default();
        let witnesses = self.witnesses.iter().copied().collect::<Vec<_>>();
        for nodes in [&self.add_voters, &self.add_learners, &self.remove, &witnesses] {
            w.count(nodes.len());
            for node in nodes {
                w.u32(node.0);
            }
        }
        w.finish()
    }

    pub fn decode(bytes: Bytes) -> Read<Change> {
        let mut r = Reader::new(bytes);
        let mut nodes = || (0..r.count(4)?).map(|_| r.u32().map(NodeId)).collect::<Read<Vec<_>>>();
        let (add_voters, add_learners, remove) = (nodes()?, nodes()?, nodes()?);
        let witnesses = nodes()?.into_iter().collect();
        r.end()?;
        Ok(Change { add_voters, add_learners, remove, witnesses })
    }

    pub fn to_library(&self) -> ConfChangeV2 {
        let single = |kind: ConfChangeType, node: &NodeId| {
            let mut change = ConfChangeSingle::default();
            change.change_type = kind;
            change.node_id = id(*node);
            change
        };
        let mut changes = Vec::with_capacity(self.len());
        changes.extend(self.add_voters.iter().map(|node| single(ConfChangeType::AddNode, node)));
        changes.extend(self.add_learners.iter().map(|node| single(ConfChangeType::AddLearnerNode, node)));
        changes.extend(self.remove.iter().map(|node| single(ConfChangeType::RemoveNode, node)));
        let mut change = ConfChangeV2::default();
        change.set_transition(ConfChangeTransition::Auto);
        change.set_changes(changes.into());
        change
    }
}
