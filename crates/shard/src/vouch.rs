//! Replicas that may have forgotten what they promised: new ones, and those that lost their log or their disk.
//!
//! Such a replica may have acknowledged entries that it lacks now, and may have voted for a leader that the one it hears of does not know
//! yet. So it listens to nobody until a leader vouches for itself: its lease holds without this replica's answers, at a time when what this
//! replica had promised to anyone else has run out. From then on it listens to leaders of that term and later ones. It votes
//! only when rows and log have brought back what it may have acknowledged.

use crate::codec::Wire;
use crate::consensus::Part;
use crate::meta;
use crate::shard::Shard;
use base::NodeId;
use raft::eraftpb::{Message, MessageType};

impl Shard {
    /// A message to one who does not listen: it may come from a leader.
    pub(crate) fn ask_to_vouch(&mut self, from: NodeId, message: &Message) {
        let leads = matches!(message.msg_type, MessageType::MsgHeartbeat | MessageType::MsgAppend | MessageType::MsgSnapshot);
        if leads && self.consensus.may_be_vouched_to() {
            self.send_wire(from, &Wire::VouchAsked { nonce: self.config.seed });
        }
    }

    pub(crate) fn vouch_asked(&mut self, from: NodeId, nonce: u64) {
        if self.consensus.lease_holds(self.now.mono) {
            let votes = self.consensus.members().votes(from);
            self.send_wire(from, &Wire::Vouched { nonce, term: self.consensus.term(), votes });
        }
    }

    pub(crate) fn vouched(&mut self, nonce: u64, term: u64, votes: bool) {
        if nonce == self.config.seed && self.consensus.listen_from(term) {
            // A member becomes a voter only after it was vouched to: this one lost all that it knew of that.
            self.lost |= votes;
        }
    }

    /// A replica that has been given rows, or is a witness, takes part. One that lost its log waits until that has brought what it acknowledged
    /// before: the first entry of this leader's term, behind all that earlier leaders have committed, and all that this leader had proposed
    /// when it was heard.
    pub(crate) fn speak_again(&mut self) {
        let members = self.consensus.members();
        let witness = members.witnesses.contains(&self.config.node) && !members.is_empty();
        if self.consensus.part != Part::Silent || !(self.rows || witness) {
            return;
        }
        if self.lost {
            if !self.consensus.has_caught_up_with_leader() {
                return;
            }
            // Durable at once: if all lost their power now, and most were silent again, nobody could be elected.
            match meta::set_silent(&*self.state.store, false) {
                Ok(()) => self.lost = false,
                Err(e) if e.state() == base::SqlState::DISK_FULL => return,
                Err(e) => panic!("the row store failed: {e}"),
            }
        }
        self.consensus.part = if self.rows { Part::Full } else { Part::Rowless };
    }
}
