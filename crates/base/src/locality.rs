//! Where a node stands, and where voters stand.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A node's place. Zones of one city are close (0.5–2 ms), cities are 5–40 ms apart; a zone fails as a whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Locality {
    pub city: String,
    pub zone: String,
}

impl fmt::Display for Locality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.city, self.zone)
    }
}

/// What a node's copy of a shard is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ReplicaKind {
    /// Log and data, votes, may lead.
    Voter,
    /// Log only, votes, leads only for the moment it takes to hand its log on.
    Witness,
    /// Data, no vote.
    Learner,
}

/// Where the voters of every shard stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LocalityMode {
    /// One voter; for development.
    Single,
    /// One city, three zones, a voter in each.
    ThreeZones,
    /// Two cities: two zones in the first, one in the second, a voter in each; survives a zone, not the first city.
    TwoCities,
    /// Three cities, five zones, a voter in each; survives a city or two zones.
    ThreeCities,
    /// One city, two zones with data and a third with a witness.
    DualActive,
}

impl LocalityMode {
    pub fn voters(self) -> usize {
        match self {
            LocalityMode::Single => 1,
            LocalityMode::ThreeZones | LocalityMode::TwoCities | LocalityMode::DualActive => 3,
            LocalityMode::ThreeCities => 5,
        }
    }
}

impl fmt::Display for LocalityMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LocalityMode::Single => "single",
            LocalityMode::ThreeZones => "3dc",
            LocalityMode::TwoCities => "2c3dc",
            LocalityMode::ThreeCities => "3c5dc",
            LocalityMode::DualActive => "dual-active",
        })
    }
}

impl FromStr for LocalityMode {
    type Err = String;

    fn from_str(text: &str) -> Result<LocalityMode, String> {
        match text {
            "single" => Ok(LocalityMode::Single),
            "3dc" => Ok(LocalityMode::ThreeZones),
            "2c3dc" => Ok(LocalityMode::TwoCities),
            "3c5dc" => Ok(LocalityMode::ThreeCities),
            "dual-active" => Ok(LocalityMode::DualActive),
            other => Err(format!("{other:?} is no locality mode: use single, 3dc, 2c3dc, 3c5dc or dual-active")),
        }
    }
}
