//! The thread that writes the log: one durable write after the other, each reported when it has ended.
//!
//! A second thread makes the next segment file ahead of time, so that no write waits for sixteen megabytes of zeros.

use super::files::FileLogFiles;
use super::priority::raise_this_thread;
use super::writer::{WriteMode, Writer};
use base::{Error, Result, SqlState};
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::thread::{Builder, JoinHandle};
use storage::log::{LogFiles, LogWrite, SEGMENT_BYTES};

#[derive(Clone, Copy, Debug)]
pub struct DiskOptions {
    /// Length of new segment files; the log's own.
    pub segment_bytes: usize,
    /// The best means that may be used.
    pub mode: WriteMode,
}

impl Default for DiskOptions {
    fn default() -> DiskOptions {
        DiskOptions { segment_bytes: SEGMENT_BYTES, mode: WriteMode::Ring }
    }
}

/// How a write ended.
#[derive(Debug)]
pub enum DiskReport {
    Written {
        sequence: u64,
    },
    /// No space: the same write may be given again.
    Full {
        sequence: u64,
    },
    /// It is not known what is on the disk. The process must stop at once; nothing more is written.
    Failed(Error),
}

/// Ends when dropped, after the write under way.
pub struct DiskThread {
    writes: Option<Sender<LogWrite>>,
    thread: Option<JoinHandle<()>>,
}

impl DiskThread {
    /// `report` is called on the disk's thread.
    ///
    /// # Errors
    /// `58030` if the threads cannot be started or the directory not be read.
    pub fn start(files: FileLogFiles, options: DiskOptions, report: impl FnMut(DiskReport) + Send + 'static) -> Result<DiskThread> {
        let (writes, incoming) = channel();
        let maker = Maker::start(files.clone(), options.segment_bytes)?;
        if files.segments()?.is_empty() {
            maker.make(0);
        }
        let body = move || {
            // Made here: a ring may be used only by the thread that made it.
            let urgent = raise_this_thread();
            // A ring may hand a write to a thread of the kernel, which then waits for a processor in this one's stead.
            let best = if urgent { options.mode.max(WriteMode::Direct) } else { options.mode };
            let writer = Writer::new(files.clone(), best);
            tracing::info!(mode = ?writer.mode(), urgent, "the log's disk is ready");
            let body = Body { files, options, writer, maker, report: Box::new(report) };
            // Without this thread the node would wait for its log for ever.
            if catch_unwind(AssertUnwindSafe(|| body.run(&incoming))).is_err() {
                tracing::error!("the log's thread broke an assumption: the process stops at once; please report this");
                std::process::abort();
            }
        };
        let thread = Builder::new().name("log-disk".into()).spawn(body).map_err(|error| cannot_start(&error))?;
        Ok(DiskThread { writes: Some(writes), thread: Some(thread) })
    }

    /// Hands a write over. There is one at a time by the log's own rule, so nothing piles up here.
    pub fn write(&self, write: LogWrite) {
        if let Some(writes) = &self.writes {
            // The thread has ended only after `DiskReport::Failed`: then nothing is written any more.
            let _ = writes.send(write);
        }
    }
}

impl Drop for DiskThread {
    fn drop(&mut self) {
        self.writes = None;
        if let Some(thread) = self.thread.take() {
            // It does not panic: see its body.
            let _ = thread.join();
        }
    }
}

struct Body {
    files: FileLogFiles,
    options: DiskOptions,
    writer: Writer,
    maker: Maker,
    report: Box<dyn FnMut(DiskReport) + Send>,
}

impl Body {
    fn run(mut self, incoming: &Receiver<LogWrite>) {
        while let Ok(write) = incoming.recv() {
            let sequence = write.sequence;
            match self.write(&write) {
                Ok(()) => (self.report)(DiskReport::Written { sequence }),
                Err(error) if error.kind() == ErrorKind::StorageFull => (self.report)(DiskReport::Full { sequence }),
                Err(error) => {
                    let message = format!("cannot write the log's segment {}: {error}", self.files.path(write.segment).display());
                    let hint = "The process stops: what is on the disk is not known. Check the disk before the next start.";
                    (self.report)(DiskReport::Failed(Error::new(SqlState::IO_ERROR, message).with_hint(hint)));
                    return;
                }
            }
        }
    }

    fn write(&mut self, write: &LogWrite) -> std::io::Result<()> {
        for &segment in &write.surplus {
            self.writer.close(segment);
            if let Err(error) = self.files.remove(segment) {
                tracing::warn!(segment, %error, "a segment file that is not needed any more cannot be removed");
            }
        }
        if write.offset == 0 {
            self.files.make(write.segment, self.options.segment_bytes)?;
            self.maker.make(write.segment + 1);
        }
        self.writer.write(write)
    }
}

/// Makes segment files ahead of their first write.
struct Maker {
    /// `None`: ends.
    wanted: Option<SyncSender<u64>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Maker {
    /// When it is over no file comes into being any more: somebody else may open the directory next.
    fn drop(&mut self) {
        self.wanted = None;
        if let Some(thread) = self.thread.take() {
            // It does not panic: see its body.
            let _ = thread.join();
        }
    }
}

impl Maker {
    fn start(files: FileLogFiles, segment_bytes: usize) -> Result<Maker> {
        let (wanted, incoming) = sync_channel::<u64>(1);
        let body = move || {
            while let Ok(segment) = incoming.recv() {
                // The log is going to use a smaller number before, if one was recycled.
                if files.segments().is_ok_and(|numbers| numbers.iter().any(|number| *number >= segment)) {
                    continue;
                }
                if let Err(error) = files.make(segment, segment_bytes) {
                    tracing::warn!(segment, %error, "a segment file cannot be made ahead of time");
                }
            }
        };
        let thread = Builder::new().name("log-maker".into()).spawn(body).map_err(|error| cannot_start(&error))?;
        Ok(Maker { wanted: Some(wanted), thread: Some(thread) })
    }

    fn make(&self, segment: u64) {
        let Some(wanted) = &self.wanted else { return };
        match wanted.try_send(segment) {
            // It is busy with an earlier one; the log's own thread makes this one when it needs it.
            Ok(()) | Err(TrySendError::Full(_)) => {}
            Err(TrySendError::Disconnected(_)) => tracing::warn!("the maker of segment files has ended"),
        }
    }
}

fn cannot_start(error: &std::io::Error) -> Error {
    Error::new(SqlState::IO_ERROR, format!("cannot start a thread for the disk: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{Prng, ShardId};
    use bytes::Bytes;
    use storage::log::{BLOCK_BYTES, Entry, Log, LogOptions, Record};

    const SEGMENT: usize = 32 * BLOCK_BYTES;

    fn options() -> LogOptions {
        LogOptions { segment_bytes: SEGMENT, ..LogOptions::default() }
    }

    fn start(files: &FileLogFiles, mode: WriteMode) -> (DiskThread, Receiver<DiskReport>) {
        let (report, reports) = channel();
        let options = DiskOptions { segment_bytes: SEGMENT, mode };
        let disk = DiskThread::start(files.clone(), options, move |ended| report.send(ended).unwrap()).unwrap();
        (disk, reports)
    }

    fn write_all(log: &mut Log, disk: &DiskThread, reports: &Receiver<DiskReport>) {
        while let Some(write) = log.next_write() {
            disk.write(write);
            match reports.recv().unwrap() {
                DiskReport::Written { sequence } => log.written(sequence),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn what_was_written_by_any_means_is_recovered() {
        for mode in [WriteMode::Ring, WriteMode::Direct, WriteMode::Cached] {
            let directory = tempfile::tempdir().unwrap();
            let mut prng = Prng::new(5);
            let mut index = 0;
            for _ in 0..3 {
                let files = FileLogFiles::open(directory.path()).unwrap();
                let (mut log, recovered) = Log::open_with(&files, options()).unwrap();
                assert_eq!(recovered.shards.get(&ShardId(1)).map_or(0, |log| log.entries.len() as u64), index);
                let (disk, reports) = start(&files, mode);
                for _ in 0..40 {
                    index += 1;
                    let data = Bytes::from(vec![index as u8; prng.below(30_000) as usize]);
                    let entry = Entry { index, term: 1, kind: 0, context: Bytes::new(), data };
                    log.append(ShardId(1), Record::Entries(vec![entry]));
                    write_all(&mut log, &disk, &reports);
                }
            }
            assert!(FileLogFiles::open(directory.path()).unwrap().segments().unwrap().len() > 8);
        }
    }

    #[test]
    fn each_means_writes_what_it_is_given() {
        for mode in [WriteMode::Ring, WriteMode::Direct, WriteMode::Cached] {
            let directory = tempfile::tempdir().unwrap();
            let files = FileLogFiles::open(directory.path()).unwrap();
            files.make(3, SEGMENT).unwrap();
            let mut writer = Writer::new(files.clone(), mode);
            assert!(writer.mode() >= mode, "never better than what was asked for");
            for block in 0..20u64 {
                let (offset, bytes) = (block * BLOCK_BYTES as u64, Bytes::from(vec![block as u8; BLOCK_BYTES]));
                writer.write(&LogWrite { sequence: block, segment: 3, offset, bytes, surplus: Vec::new() }).unwrap();
            }
            let found = files.read(3).unwrap();
            assert_eq!(found.len(), SEGMENT);
            assert!(found.chunks(BLOCK_BYTES).take(20).zip(0..).all(|(block, fill)| block.iter().all(|byte| *byte == fill)));
        }
    }

    #[test]
    fn recycled_segments_keep_the_log_small() {
        let directory = tempfile::tempdir().unwrap();
        let files = FileLogFiles::open(directory.path()).unwrap();
        let (mut log, _) = Log::open_with(&files, options()).unwrap();
        let (disk, reports) = start(&files, WriteMode::Ring);
        for index in 1..600 {
            let entry = Entry { index, term: 1, kind: 0, context: Bytes::new(), data: Bytes::from(vec![1; 9000]) };
            log.append(ShardId(1), Record::Entries(vec![entry]));
            log.append(ShardId(1), Record::Truncated { index, term: 1 });
            write_all(&mut log, &disk, &reports);
        }
        assert!(files.segments().unwrap().len() <= 8);
    }

    #[test]
    fn segments_without_their_salt_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        FileLogFiles::open(directory.path()).unwrap().make(0, SEGMENT).unwrap();
        std::fs::remove_file(directory.path().join("salt")).unwrap();
        assert_eq!(FileLogFiles::open(directory.path()).unwrap_err().state(), SqlState::DATA_CORRUPTED);
    }

    #[test]
    fn a_write_that_fails_for_another_reason_than_space_ends_the_thread() {
        let directory = tempfile::tempdir().unwrap();
        let files = FileLogFiles::open(directory.path()).unwrap();
        let (disk, reports) = start(&files, WriteMode::Ring);
        // No first write has made this segment.
        let offset = BLOCK_BYTES as u64;
        disk.write(LogWrite { sequence: 1, segment: 77, offset, bytes: Bytes::from(vec![0; BLOCK_BYTES]), surplus: Vec::new() });
        assert!(matches!(reports.recv().unwrap(), DiskReport::Failed(_)));
        disk.write(LogWrite::default());
        assert!(reports.recv().is_err(), "nothing is written afterwards");
    }
}
