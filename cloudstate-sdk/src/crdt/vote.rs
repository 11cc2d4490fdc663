use cloudstate_proto::crdt::{VoteDelta, crdt_delta};

use super::delta::Kind;
use super::{Crdt, CrdtError, Delta};

/// A ballot among the nodes of the proxy's cluster: each has one vote, and can change it.
///
/// The proxy counts; [`votes_for`](Self::votes_for) and [`voters`](Self::voters) are what it last said, with the own
/// vote brought up to date.
///
/// ```
/// use cloudstate_sdk::crdt::Vote;
///
/// let mut ready = Vote::new();
/// ready.vote(true);
/// assert!(ready.has_majority());
/// ```
#[derive(Clone, Debug)]
pub struct Vote {
    ballot: Ballot,
    /// As it was last sent or received.
    sent: Ballot,
    voters: u32,
    known: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ballot {
    own: bool,
    votes_for: u32,
}

impl Default for Vote {
    fn default() -> Self {
        let ballot = Ballot { own: false, votes_for: 0 };
        Self { ballot, sent: ballot, voters: 1, known: false }
    }
}

impl Vote {
    /// One voter, this node, which is against.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How this node votes.
    #[must_use]
    pub fn self_vote(&self) -> bool {
        self.ballot.own
    }

    /// How many nodes are for it.
    #[must_use]
    pub fn votes_for(&self) -> u32 {
        self.ballot.votes_for
    }

    /// How many nodes there are.
    #[must_use]
    pub fn voters(&self) -> u32 {
        self.voters
    }

    /// Whether at least one node is for it.
    #[must_use]
    pub fn has_any(&self) -> bool {
        self.ballot.votes_for > 0
    }

    /// Whether more than half of the nodes are for it.
    #[must_use]
    pub fn has_majority(&self) -> bool {
        u64::from(self.ballot.votes_for) * 2 > u64::from(self.voters)
    }

    /// Whether all nodes are for it.
    #[must_use]
    pub fn is_unanimous(&self) -> bool {
        self.ballot.votes_for >= self.voters
    }

    /// Sets the vote of this node.
    pub fn vote(&mut self, vote: bool) {
        let Ballot { own, votes_for } = self.sent;
        self.ballot = match (own, vote) {
            (false, true) => Ballot { own: true, votes_for: votes_for.saturating_add(1) },
            (true, false) => Ballot { own: false, votes_for: votes_for.saturating_sub(1) },
            _ => self.sent,
        };
    }
}

impl Crdt for Vote {
    fn from_state(state: Delta) -> Result<Self, CrdtError> {
        let mut vote = Self::new();
        vote.apply(state)?;
        Ok(vote)
    }

    /// The counts are the proxy's business, and left out.
    fn state(&self) -> Delta {
        delta(self.ballot.own)
    }

    fn apply(&mut self, delta: Delta) -> Result<(), CrdtError> {
        let crdt_delta::Delta::Vote(VoteDelta { self_vote, votes_for, total_voters }) = delta.0 else {
            return Err(delta.is_not_for("Vote"));
        };
        let (Ok(for_it), Ok(voters)) = (u32::try_from(votes_for), u32::try_from(total_voters)) else {
            return Err(CrdtError::new(Kind::ImpossibleVote { votes_for, total_voters }));
        };
        if voters == 0 {
            // From a user function, which leaves the counting to the proxy.
            self.vote(self_vote);
        } else {
            self.ballot = Ballot { own: self_vote, votes_for: for_it };
            self.voters = voters;
        }
        self.mark_sent();
        Ok(())
    }

    fn unsent(&self) -> Option<Delta> {
        self.has_changed().then(|| delta(self.ballot.own))
    }

    fn has_changed(&self) -> bool {
        self.ballot.own != self.sent.own
    }

    fn mark_sent(&mut self) {
        self.sent = self.ballot;
        self.known = true;
    }

    fn roll_back(&mut self) {
        self.ballot = self.sent;
    }

    fn is_known(&self) -> bool {
        self.known
    }
}

/// By value, whatever is unsent.
impl PartialEq for Vote {
    fn eq(&self, other: &Self) -> bool {
        (self.ballot, self.voters) == (other.ballot, other.voters)
    }
}

fn delta(self_vote: bool) -> Delta {
    Delta(crdt_delta::Delta::Vote(VoteDelta { self_vote, ..Default::default() }))
}
