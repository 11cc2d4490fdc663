//! What is on the disk, and what only seems to be.
//!
//! A write changes what everybody reads at once, but it waits in memory until its file is synced. When the power is cut,
//! any part of what waits may have reached the disk, in any order, sector by sector. A new file has a lasting name from
//! its first sync on, with which SQLite syncs the folder; a removed one may come back until the folder is synced.

use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt, path::Path};

use super::vfs::Inode;

/// What a disk writes as a whole.
const SECTOR: usize = 512;

/// Something that happened to the files of a folder.
#[derive(Clone, Debug)]
pub(crate) enum Happened {
    /// A file got this name, or had it already. An empty one is a new one.
    Opened {
        name: String,
        inode: Inode,
        empty: bool,
    },
    Wrote {
        inode: Inode,
        offset: usize,
        bytes: Vec<u8>,
    },
    Truncated {
        inode: Inode,
        length: usize,
    },
    Synced(Inode),
    /// The system reports such a failure once and then takes what waited for written, whether it was or not.
    SyncFailed(Inode),
    Removed {
        name: String,
        durable: bool,
    },
}

/// How much of what waits reaches the disk when the power is cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Survivors {
    Nothing,
    /// Of each file the first changes, the last of them in part.
    Beginning,
    /// Of each file any sectors; where a file has grown for a sector that is lost, there are zeros or garbage.
    AnySectors,
    Everything,
}

/// The files that somebody finds who switches the power on again.
pub(crate) type Image = BTreeMap<String, Vec<u8>>;

#[derive(Clone)]
pub(crate) struct Platter {
    files: BTreeMap<Inode, File>,
    names: BTreeMap<String, Inode>,
    /// Removed, but not for good.
    ghosts: BTreeMap<String, File>,
    random: fastrand::Rng,
}

#[derive(Clone, Default)]
struct File {
    durable: Vec<u8>,
    /// Oldest first.
    waiting: Vec<Change>,
    /// With everything that waits.
    length: usize,
    name_is_durable: bool,
}

#[derive(Clone)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate(usize),
}

impl Platter {
    /// The files of a folder as they are, all durable.
    pub(crate) fn of(folder: &Path, seed: u64) -> Self {
        let mut platter = Self {
            files: BTreeMap::new(),
            names: BTreeMap::new(),
            ghosts: BTreeMap::new(),
            random: fastrand::Rng::with_seed(seed),
        };
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let inode = entry.metadata().unwrap().ino();
            let durable = fs::read(entry.path()).unwrap();
            platter.names.insert(entry.file_name().into_string().unwrap(), inode);
            let length = durable.len();
            platter.files.insert(inode, File { durable, waiting: Vec::new(), length, name_is_durable: true });
        }
        platter
    }

    pub(crate) fn apply(&mut self, happened: &Happened) {
        match happened {
            Happened::Opened { name, inode, empty } => self.open(name, *inode, *empty),
            Happened::Wrote { inode, offset, bytes } => {
                self.change(*inode, Change::Write { offset: *offset, bytes: bytes.clone() })
            }
            Happened::Truncated { inode, length } => self.change(*inode, Change::Truncate(*length)),
            Happened::Synced(inode) => self.sync(*inode),
            Happened::SyncFailed(inode) => {
                let mut random = self.random.fork();
                self.file(*inode).forget(&mut random);
            }
            Happened::Removed { name, durable } => self.remove(name, *durable),
        }
    }

    fn open(&mut self, name: &str, inode: Inode, empty: bool) {
        self.ghosts.remove(name);
        let named = self.names.iter().find_map(|(name, known)| (*known == inode).then(|| name.clone()));
        // The number of a file that was removed is given to a new one.
        let is_known = named.is_some() && (self.files[&inode].length == 0) == empty;
        if let Some(old) = named {
            self.names.remove(&old);
            // Whoever renames a file here also syncs the folder.
            self.file(inode).name_is_durable |= old != name;
        }
        self.names.insert(name.to_owned(), inode);
        if !is_known {
            self.files.insert(inode, File::default());
        }
    }

    fn change(&mut self, inode: Inode, change: Change) {
        let file = self.file(inode);
        file.length = match &change {
            Change::Write { offset, bytes } => file.length.max(offset + bytes.len()),
            Change::Truncate(length) => *length,
        };
        file.waiting.push(change);
    }

    fn sync(&mut self, inode: Inode) {
        // SQLite syncs the folder with the first sync of a log or a journal it has created, and nothing removed comes back.
        if !self.file(inode).name_is_durable {
            self.ghosts.clear();
        }
        self.file(inode).sync();
    }

    fn remove(&mut self, name: &str, durable: bool) {
        let Some(inode) = self.names.remove(name) else { return };
        let file = self.files.remove(&inode).expect("a name is that of a file");
        if durable {
            self.ghosts.clear();
        } else if file.name_is_durable {
            self.ghosts.insert(name.to_owned(), file);
        }
    }

    fn file(&mut self, inode: Inode) -> &mut File {
        self.files.get_mut(&inode).expect("an open file is known")
    }

    /// What is left when the power is cut now.
    pub(crate) fn after_power_cut(&mut self, survivors: Survivors) -> Image {
        let (mut random, mut random_sectors) = (self.random.fork(), self.random.fork());
        let mut lucky = || match survivors {
            Survivors::Nothing => false,
            Survivors::Everything => true,
            Survivors::Beginning | Survivors::AnySectors => random.bool(),
        };
        let returned: Vec<_> = self.ghosts.iter().filter(|_| !lucky()).collect();
        let named = self.names.iter().map(|(name, inode)| (name, &self.files[inode]));
        let named: Vec<_> = named.filter(|(_, file)| file.name_is_durable || lucky()).collect();
        let files = returned.into_iter().chain(named);
        files
            .map(|(name, file)| (name.clone(), file.after_power_cut(survivors, &mut random_sectors)))
            .collect()
    }
}

impl File {
    fn sync(&mut self) {
        for change in self.waiting.drain(..) {
            change.apply(&mut self.durable);
        }
        self.name_is_durable = true;
    }

    fn forget(&mut self, random: &mut fastrand::Rng) {
        self.durable = self.after_power_cut(Survivors::AnySectors, random);
        self.waiting.clear();
    }

    fn after_power_cut(&self, survivors: Survivors, random: &mut fastrand::Rng) -> Vec<u8> {
        let mut content = self.durable.clone();
        match survivors {
            Survivors::Nothing => {}
            Survivors::Everything => self.waiting.iter().for_each(|change| change.apply(&mut content)),
            Survivors::Beginning => {
                let whole = random.usize(..=self.waiting.len());
                self.waiting[..whole].iter().for_each(|change| change.apply(&mut content));
                if let Some(torn) = self.waiting.get(whole) {
                    let sectors = torn.sectors();
                    let written = random.usize(..=sectors.len());
                    sectors[..written].iter().for_each(|sector| sector.apply(&mut content));
                }
            }
            Survivors::AnySectors => {
                for sector in self.waiting.iter().flat_map(Change::sectors) {
                    match random.u8(..4) {
                        0 => sector.grow_only(&mut content, random),
                        1 => {}
                        _ => sector.apply(&mut content),
                    }
                }
            }
        }
        content
    }
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => {
                let end = offset + bytes.len();
                if content.len() < end {
                    content.resize(end, 0);
                }
                content[*offset..end].copy_from_slice(bytes);
            }
            Self::Truncate(length) => content.resize(*length, 0),
        }
    }

    /// The file has its new length, but not what was written there.
    fn grow_only(&self, content: &mut Vec<u8>, random: &mut fastrand::Rng) {
        if let Self::Write { offset, bytes } = self {
            let garbage = random.bool();
            let old_length = content.len();
            content.resize(old_length.max(offset + bytes.len()), 0);
            if garbage {
                content[old_length..].iter_mut().for_each(|byte| *byte = random.u8(..));
            }
        }
    }

    /// Its parts that are written each as a whole or not at all.
    fn sectors(&self) -> Vec<Self> {
        let Self::Write { offset, bytes } = self else { return vec![self.clone()] };
        let mut sectors = Vec::new();
        let mut start = 0;
        while start < bytes.len() {
            let to_boundary = SECTOR - (offset + start) % SECTOR;
            let end = bytes.len().min(start + to_boundary);
            sectors.push(Self::Write { offset: offset + start, bytes: bytes[start..end].to_vec() });
            start = end;
        }
        sectors
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(happened: &[Happened], survivors: Survivors) -> Image {
        let folder = tempfile::tempdir().unwrap();
        let mut platter = Platter::of(folder.path(), 1);
        happened.iter().for_each(|it| platter.apply(it));
        platter.after_power_cut(survivors)
    }

    fn opened(name: &str, inode: Inode, empty: bool) -> Happened {
        Happened::Opened { name: name.to_owned(), inode, empty }
    }

    fn wrote(inode: Inode, offset: usize, bytes: &[u8]) -> Happened {
        Happened::Wrote { inode, offset, bytes: bytes.to_vec() }
    }

    #[test]
    fn only_what_was_synced_surely_survives() {
        let happened = [opened("a", 1, true), wrote(1, 0, b"old"), Happened::Synced(1), wrote(1, 0, b"new!")];
        assert_eq!(image(&happened[..2], Survivors::Nothing), Image::new());
        assert_eq!(image(&happened, Survivors::Nothing)["a"], b"old");
        assert_eq!(image(&happened, Survivors::Everything)["a"], b"new!");
    }

    #[test]
    fn a_write_is_torn_between_sectors() {
        let bytes = [1; 3 * SECTOR];
        let sectors = Change::Write { offset: 24, bytes: bytes.to_vec() }.sectors();
        let lengths = sectors.iter().map(|sector| match sector {
            Change::Write { bytes, .. } => bytes.len(),
            Change::Truncate(_) => panic!("a write"),
        });
        assert_eq!(lengths.collect::<Vec<_>>(), [SECTOR - 24, SECTOR, SECTOR, 24]);
    }

    #[test]
    fn a_file_keeps_its_content_under_a_new_name() {
        let happened =
            [opened("draft", 1, true), wrote(1, 0, b"x"), Happened::Synced(1), opened("final", 1, false)];
        assert_eq!(image(&happened, Survivors::Nothing), Image::from([("final".to_owned(), b"x".to_vec())]));
    }

    #[test]
    fn a_removed_file_comes_back_unless_its_folder_was_synced() {
        for durable in [false, true] {
            let removed = Happened::Removed { name: "a".to_owned(), durable };
            let happened = [opened("a", 1, true), wrote(1, 0, b"x"), Happened::Synced(1), removed];
            assert_eq!(image(&happened, Survivors::Nothing).contains_key("a"), !durable);
            assert!(image(&happened, Survivors::Everything).is_empty());
        }
    }

    #[test]
    fn the_number_of_a_removed_file_is_used_again() {
        let removed = Happened::Removed { name: "a".to_owned(), durable: true };
        let happened =
            [opened("a", 1, true), wrote(1, 0, b"x"), removed, opened("b", 1, true), Happened::Synced(1)];
        assert_eq!(image(&happened, Survivors::Nothing), Image::from([("b".to_owned(), Vec::new())]));
    }

    #[test]
    fn what_a_failed_sync_lost_a_later_one_does_not_write() {
        let bytes = [7; 64 * SECTOR];
        let happened = [
            opened("a", 1, true),
            Happened::Synced(1),
            wrote(1, 0, &bytes),
            Happened::SyncFailed(1),
            Happened::Synced(1),
        ];
        let left = &image(&happened, Survivors::Everything)["a"];
        assert!(left.contains(&7) && left != &bytes, "some of the sectors");
    }
}
