//! What can happen to a node's disk while it is down, or full.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const BLOCK: u64 = 4096;

/// Takes all space that is left on the node's file system (a small tmpfs of its own).
pub fn fill(data: &Path) {
    let mut file = File::create(data.join("ballast")).expect("the directory is there");
    let block = vec![0x55; 64 * 1024];
    while file.write_all(&block).is_ok() {}
}

pub fn free(data: &Path) {
    fs::remove_file(data.join("ballast")).expect("the ballast was made");
}

pub fn remove(data: &Path) {
    for item in fs::read_dir(data).expect("the directory is there") {
        let path = item.expect("readable").path();
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.expect("the node is down");
    }
}

/// Segment files, the newest written last.
fn segments(data: &Path) -> Vec<PathBuf> {
    let mut found: Vec<(std::time::SystemTime, PathBuf)> = fs::read_dir(data.join("log"))
        .expect("a node has a log")
        .map(|item| item.expect("readable").path())
        .map(|path| (fs::metadata(&path).and_then(|data| data.modified()).expect("readable"), path))
        .collect();
    found.sort();
    found.into_iter().map(|(_, path)| path).collect()
}

/// Offsets of blocks that are not all zeros.
fn written_blocks(path: &Path) -> Vec<u64> {
    let mut bytes = Vec::new();
    File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)).expect("readable");
    let blocks = bytes.chunks(BLOCK as usize).enumerate();
    blocks.filter(|(_, block)| block.iter().any(|byte| *byte != 0)).map(|(index, _)| index as u64 * BLOCK).collect()
}

/// The segment written last that has at least so many blocks, and where they are. The newest file may be one that was only made, ahead of its first write.
fn newest_written(data: &Path, blocks_min: usize) -> (PathBuf, Vec<u64>) {
    let mut written = segments(data).into_iter().rev().map(|path| (written_blocks(&path), path));
    let (blocks, path) = written.find(|(blocks, _)| blocks.len() >= blocks_min).expect("a log has a segment with records");
    (path, blocks)
}

fn scribble(path: &Path, offset: u64, length: usize) {
    let mut file = File::options().read(true).write(true).open(path).expect("writable");
    file.seek(SeekFrom::Start(offset)).expect("inside the file");
    let mut old = vec![0; length];
    file.read_exact(&mut old).expect("inside the file");
    old.iter_mut().for_each(|byte| *byte ^= 0xa5);
    file.seek(SeekFrom::Start(offset)).expect("inside the file");
    file.write_all(&old).expect("writable");
    file.sync_all().expect("writable");
}

/// As if the machine had lost power in the middle of a write behind the last one that was acknowledged: its first block is there,
/// the rest is not.
pub fn tear_log_tail(data: &Path) {
    let (newest, blocks) = newest_written(data, 1);
    let end = blocks[blocks.len() - 1] + BLOCK;
    let mut file = File::options().read(true).write(true).open(&newest).expect("writable");
    let length = file.metadata().expect("readable").len();
    if end + BLOCK <= length {
        let mut last = vec![0; BLOCK as usize];
        file.seek(SeekFrom::Start(end - BLOCK)).expect("inside");
        file.read_exact(&mut last).expect("inside");
        last.iter_mut().skip(64).for_each(|byte| *byte = byte.wrapping_add(1));
        file.seek(SeekFrom::Start(end)).expect("inside");
        file.write_all(&last).expect("writable");
        file.sync_all().expect("writable");
    }
}

/// Flips bits in a block with good blocks behind it.
pub fn corrupt_log_middle(data: &Path) {
    let (newest, blocks) = newest_written(data, 3);
    let middle = blocks[blocks.len() / 2];
    scribble(&newest, middle + 100, 40);
}
