//! The tree against the definitions of RFC 9162, written down naively, and against published vectors.

use base::Prng;
use proof::merkle::{
    Frontier, MerkleLog, Nodes, Plan, SIZE_MAX, TILE_WIDTH, Tile, TileSet, edge_tiles, verify_consistency, verify_inclusion,
};
use proof::{Error, Hash};

/// `MTH` of RFC 9162, section 2.1.1.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::EMPTY_ROOT,
        [leaf] => *leaf,
        _ => {
            let k = leaves.len().next_power_of_two() / 2;
            Hash::of_node(&naive_root(&leaves[..k]), &naive_root(&leaves[k..]))
        }
    }
}

/// `PATH` of section 2.1.3.1.
fn naive_path(m: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (mut path, sibling) = match m < k {
        true => (naive_path(m, &leaves[..k]), naive_root(&leaves[k..])),
        false => (naive_path(m - k, &leaves[k..]), naive_root(&leaves[..k])),
    };
    path.push(sibling);
    path
}

/// `SUBPROOF` of section 2.1.4.1.
fn naive_subproof(m: usize, leaves: &[Hash], is_whole: bool) -> Vec<Hash> {
    if m == leaves.len() {
        return if is_whole { Vec::new() } else { vec![naive_root(leaves)] };
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (mut path, sibling) = match m <= k {
        true => (naive_subproof(m, &leaves[..k], is_whole), naive_root(&leaves[k..])),
        false => (naive_subproof(m - k, &leaves[k..], false), naive_root(&leaves[..k])),
    };
    path.push(sibling);
    path
}

/// A log with its full tiles beside it, as a store keeps them.
#[derive(Default)]
struct Stored {
    log: MerkleLog,
    full: Vec<Tile>,
}

impl Stored {
    fn of(leaves: &[Hash]) -> Stored {
        let mut stored = Stored::default();
        leaves.iter().for_each(|leaf| {
            stored.log.append_hash(*leaf, &mut stored.full);
        });
        stored
    }

    fn tiles(&self) -> TileSet {
        self.full.iter().chain(self.log.edge()).cloned().collect()
    }

    /// Exactly what the plan asks for.
    fn build(&self, plan: &Plan) -> Vec<Hash> {
        let all = self.tiles();
        let read = plan.tiles().into_iter().map(|key| all.get(key).expect("planned tiles are stored").clone());
        plan.build(&read.collect::<TileSet>()).expect("the planned tiles are enough")
    }
}

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|index| Hash::of_leaf(&index.to_be_bytes())).collect()
}

fn hash(hex: &str) -> Hash {
    let byte = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hexadecimal");
    Hash(std::array::from_fn(byte))
}

/// The test tree of the Certificate Transparency implementations (github.com/transparency-dev/merkle).
const VECTOR_LEAVES: [&[u8]; 8] = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
];
const VECTOR_ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

#[test]
fn roots_are_those_of_the_published_test_tree() {
    let mut log = MerkleLog::new();
    assert_eq!(log.root(), hash(VECTOR_ROOTS[0]));
    for (index, record) in VECTOR_LEAVES.into_iter().enumerate() {
        assert_eq!(log.append(record, &mut Vec::new()), index as u64);
        assert_eq!(log.root(), hash(VECTOR_ROOTS[index + 1]), "{} leaves", index + 1);
    }
}

#[test]
fn a_published_consistency_proof_is_built_and_verified() {
    let stored = Stored::of(&VECTOR_LEAVES.map(Hash::of_leaf));
    let path = [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    .map(hash);
    assert_eq!(stored.build(&Plan::consistency(6, 8).expect("sizes in order")), path);
    assert_eq!(verify_consistency(6, hash(VECTOR_ROOTS[6]), 8, hash(VECTOR_ROOTS[8]), &path), Ok(()));
}

#[test]
fn roots_and_proofs_of_all_small_trees_are_those_of_the_definitions() {
    let all = leaves(130);
    let stored = Stored::of(&all);
    for size in 0..=all.len() {
        let tree = &all[..size];
        let root = naive_root(tree);
        assert_eq!(Stored::of(tree).log.root(), root, "size {size}");
        for index in 0..size {
            let path = stored.build(&Plan::inclusion(index as u64, size as u64).expect("in the tree"));
            assert_eq!(path, naive_path(index, tree), "leaf {index} of {size}");
            assert_eq!(verify_inclusion(tree[index], index as u64, size as u64, &path, root), Ok(()), "leaf {index} of {size}");
        }
        for older in 0..=size {
            let path = stored.build(&Plan::consistency(older as u64, size as u64).expect("in order"));
            let expected = if older == 0 { Vec::new() } else { naive_subproof(older, tree, true) };
            assert_eq!(path, expected, "{older} to {size}");
            assert_eq!(verify_consistency(older as u64, naive_root(&tree[..older]), size as u64, root, &path), Ok(()), "{older} to {size}");
        }
    }
}

#[test]
fn roots_of_all_sizes_up_to_seven_hundred_are_those_of_the_definition() {
    let all = leaves(700);
    let mut log = MerkleLog::new();
    for (index, leaf) in all.iter().enumerate() {
        log.append_hash(*leaf, &mut Vec::new());
        assert_eq!(log.root(), naive_root(&all[..=index]), "{} leaves", index + 1);
    }
}

#[test]
fn proofs_of_random_large_trees_are_those_of_the_definitions() {
    let mut prng = Prng::new(9162);
    let all = leaves(200_000);
    let stored = Stored::of(&all);
    for _ in 0..16 {
        let size = prng.between(1, all.len() as u64);
        let (index, older) = (prng.below(size), prng.between(1, size));
        let tree = &all[..size as usize];
        let root = naive_root(tree);
        let path = stored.build(&Plan::inclusion(index, size).expect("in the tree"));
        assert_eq!(path, naive_path(index as usize, tree), "leaf {index} of {size}");
        assert_eq!(verify_inclusion(tree[index as usize], index, size, &path, root), Ok(()));
        let path = stored.build(&Plan::consistency(older, size).expect("in order"));
        assert_eq!(path, naive_subproof(older as usize, tree, true), "{older} to {size}");
        assert_eq!(verify_consistency(older, naive_root(&tree[..older as usize]), size, root, &path), Ok(()));
    }
}

/// Every path that differs from a good one in a bit, an element more or less, or two exchanged.
fn spoilt(path: &[Hash]) -> Vec<Vec<Hash>> {
    let mut found = Vec::new();
    for at in 0..path.len() {
        for bit in 0..256 {
            let mut changed = path.to_vec();
            changed[at].0[bit / 8] ^= 1 << (bit % 8);
            found.push(changed);
        }
        let mut shorter = path.to_vec();
        shorter.remove(at);
        found.push(shorter);
        let mut exchanged = path.to_vec();
        exchanged.swap(at, (at + 1) % path.len());
        found.push(exchanged);
    }
    for at in 0..=path.len() {
        for extra in [Hash::default(), Hash::EMPTY_ROOT].into_iter().chain(path.first().copied()) {
            let mut longer = path.to_vec();
            longer.insert(at, extra);
            found.push(longer);
        }
    }
    found.retain(|changed| changed != path);
    found
}

#[test]
fn an_inclusion_proof_proves_nothing_else() {
    let all = leaves(71);
    let stored = Stored::of(&all);
    for size in [1u64, 2, 3, 4, 7, 8, 9, 31, 64, 65, 71] {
        let root = naive_root(&all[..size as usize]);
        for index in 0..size {
            let leaf = all[index as usize];
            let path = stored.build(&Plan::inclusion(index, size).expect("in the tree"));
            let refused = |leaf, index, size, path: &[Hash], root| {
                let outcome = verify_inclusion(leaf, index, size, path, root);
                assert!(matches!(outcome, Err(Error::Disproved(_))), "leaf {index} of {size}: {outcome:?}");
            };
            spoilt(&path).iter().for_each(|path| refused(leaf, index, size, path, root));
            (0..=size + 1).filter(|other| *other != index).for_each(|other| refused(leaf, other, size, &path, root));
            refused(leaf, u64::MAX, size, &path, root);
            (0..256).for_each(|bit| {
                let (mut leaf, mut other) = (leaf, root);
                leaf.0[bit / 8] ^= 1 << (bit % 8);
                other.0[bit / 8] ^= 1 << (bit % 8);
                refused(leaf, index, size, &path, root);
                refused(all[index as usize], index, size, &path, other);
            });
            // The size is the checkpoint's word: with a signed root it cannot be chosen. A path of another length must not fit it.
            let length = |size: u64| naive_path(index as usize, &all[..size as usize]).len();
            (index + 1..=71).filter(|other| length(*other) != length(size)).for_each(|other| refused(leaf, index, other, &path, root));
        }
    }
}

#[test]
fn a_consistency_proof_proves_nothing_else() {
    let all = leaves(66);
    let stored = Stored::of(&all);
    let roots: Vec<Hash> = (0..=all.len()).map(|size| naive_root(&all[..size])).collect();
    let root = |size: u64| roots[size as usize];
    for newer in [1u64, 2, 3, 5, 8, 13, 32, 33, 64, 66] {
        for older in 1..=newer {
            let path = stored.build(&Plan::consistency(older, newer).expect("in order"));
            let refused = |older, older_root, newer, newer_root, path: &[Hash]| {
                let outcome = verify_consistency(older, older_root, newer, newer_root, path);
                assert!(matches!(outcome, Err(Error::Disproved(_))), "{older} to {newer}: {outcome:?}");
            };
            spoilt(&path).iter().for_each(|path| refused(older, root(older), newer, root(newer), path));
            (0..256).for_each(|bit| {
                let (mut before, mut after) = (root(older), root(newer));
                before.0[bit / 8] ^= 1 << (bit % 8);
                after.0[bit / 8] ^= 1 << (bit % 8);
                refused(older, before, newer, root(newer), &path);
                refused(older, root(older), newer, after, &path);
            });
            (0..=66).filter(|other| *other != older).for_each(|other| refused(other, root(older), newer, root(newer), &path));
            refused(u64::MAX, root(older), newer, root(newer), &path);
        }
    }
}

#[test]
fn a_changed_record_makes_trees_inconsistent() {
    let all = leaves(40);
    let mut other = all.clone();
    other[7] = Hash::of_leaf(b"as if it had always been so");
    let path = Stored::of(&other).build(&Plan::consistency(20, 40).expect("in order"));
    assert!(verify_consistency(20, naive_root(&all[..20]), 40, naive_root(&other), &path).is_err());
}

#[test]
fn a_log_that_was_stored_goes_on_as_if_it_had_not_been() {
    let all = leaves(66_000);
    let sizes = [0usize, 1, 2, 255, 256, 257, 511, 512, 3_000, 65_535, 65_536, 65_537, 65_792, 66_000];
    let mut stored = Stored::default();
    let mut appended = 0;
    for size in sizes {
        while appended < size {
            stored.log.append_hash(all[appended], &mut stored.full);
            appended += 1;
        }
        let edge: Vec<_> = stored.log.edge().map(|tile| tile.key).collect();
        assert_eq!(edge, edge_tiles(size as u64), "size {size}");
        let frontier = Frontier::new(size as u64, stored.log.frontier().peaks().to_vec()).expect("as it was");
        let read = |key| stored.tiles().get(key).map(|tile| Tile::decode(key, &tile.encode()).expect("as it was"));
        assert_eq!(MerkleLog::open(frontier, read), Ok(stored.log.clone()), "size {size}");
    }
    assert!(stored.full.iter().all(|tile| tile.is_full() && tile.encode().len() == 32 * TILE_WIDTH));
    assert_eq!(stored.full.len(), 66_000 / 256 + 66_000 / 65_536, "one row for each 256 nodes");
}

#[test]
fn a_log_opens_from_tiles_that_a_later_flush_wrote() {
    let all = leaves(400);
    let early = Stored::of(&all[..300]);
    let late = Stored::of(&all);
    let frontier = early.log.frontier().clone();
    assert_eq!(MerkleLog::open(frontier, |key| late.tiles().get(key).cloned()), Ok(early.log));
}

#[test]
fn a_damaged_store_is_noticed_when_a_log_is_opened() {
    let stored = Stored::of(&leaves(777));
    let frontier = stored.log.frontier().clone();
    let opened =
        |spoil: &dyn Fn(Tile) -> Option<Tile>| MerkleLog::open(frontier.clone(), |key| stored.tiles().get(key).cloned().and_then(spoil));
    assert!(opened(&Some).is_ok());
    assert!(matches!(opened(&|_| None), Err(Error::Corrupt(_))));
    let flipped = |tile: Tile| {
        let mut bytes = tile.encode();
        bytes[5] ^= 1;
        Tile::decode(tile.key, &bytes).ok()
    };
    assert!(matches!(opened(&flipped), Err(Error::Corrupt(_))));
    let shorter = |tile: Tile| Tile::decode(tile.key, &tile.encode()[32..]).ok();
    assert!(matches!(opened(&shorter), Err(Error::Corrupt(_))));
    assert!(matches!(Frontier::new(777, vec![Hash::default()]), Err(Error::Corrupt(_))));
    assert!(matches!(Frontier::new(u64::MAX, vec![Hash::default(); 64]), Err(Error::Corrupt(_))));
}

#[test]
fn proofs_of_what_is_not_there_are_refused() {
    assert!(matches!(Plan::inclusion(5, 5), Err(Error::Range(_))));
    assert!(matches!(Plan::inclusion(0, 0), Err(Error::Range(_))));
    assert!(matches!(Plan::inclusion(0, u64::MAX), Err(Error::Range(_))));
    assert!(matches!(Plan::consistency(6, 5), Err(Error::Range(_))));
    assert!(matches!(Plan::consistency(1, u64::MAX), Err(Error::Range(_))));
    let plan = Plan::inclusion(5, 300).expect("in the tree");
    assert!(matches!(plan.build(&TileSet::default()), Err(Error::NodeMissing { .. })));
    let shorter = Stored::of(&leaves(200));
    assert!(matches!(plan.build(&shorter.tiles()), Err(Error::NodeMissing { .. })));
}

#[test]
fn a_proof_reads_few_tiles() {
    let plan = Plan::inclusion(123_456_789, 1 << 30).expect("in the tree");
    assert!(plan.tiles().len() <= 4, "{:?}", plan.tiles());
    let plan = Plan::inclusion(123_456_789, (1 << 30) - 1).expect("in the tree");
    assert!(plan.tiles().len() <= 8, "{:?}", plan.tiles());
    for (index, size) in [(0, SIZE_MAX), (SIZE_MAX - 1, SIZE_MAX), (1, SIZE_MAX - 1)] {
        assert!(Plan::inclusion(index, size).expect("in the tree").tiles().len() <= 16);
        assert!(Plan::consistency(index + 1, size).expect("in order").tiles().len() <= 16);
    }
    assert_eq!(TileSet::default().node(proof::merkle::NodeId { height: 255, index: u64::MAX }), None);
}

#[test]
fn of_two_forms_of_a_tile_the_wider_one_counts() {
    let all = leaves(300);
    let (early, late) = (Stored::of(&all[..270]), Stored::of(&all));
    let plan = Plan::inclusion(280, 300).expect("in the tree");
    let read: TileSet = late.full.iter().chain(late.log.edge()).chain(early.log.edge()).cloned().collect();
    assert_eq!(plan.build(&read), Ok(naive_path(280, &all)));
}
