//! The power is cut at every step of a store's work.

use std::{
    collections::HashSet,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
};

use tempfile::TempDir;

use crate::{
    disk::{
        self,
        platter::{Image, Platter, Survivors},
        recorder::{Entry, Recorder},
    },
    file::check_file,
    script::{self, Promises, Script},
};

pub(crate) const STORE: &str = "store.db";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_power_is_cut_at_every_step() {
    let folder = disk::folder();
    let mut platter = Platter::of(folder.path(), 1);
    let (recorder, attached) = Recorder::attach(folder.path());
    Script::new(folder.path().join(STORE), &recorder).run().await;
    drop(attached);

    let mut cuts = Cuts::default();
    for entry in recorder.entries() {
        use Survivors::{AnySectors, Beginning, Everything, Nothing};
        let draws = [Nothing, Beginning, Beginning, AnySectors, AnySectors, AnySectors, Everything];
        cuts.step(&mut platter, &entry, &draws).await;
    }
    println!("the power is cut: {} steps, {} different disks", cuts.steps, cuts.seen.len());
    assert!(cuts.steps > 100 && cuts.promises.len() >= 4, "{} steps", cuts.steps);
}

/// Once while the store works, and once more while it recovers from that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_power_is_cut_twice() {
    let folder = disk::folder();
    let mut platter = Platter::of(folder.path(), 2);
    let (recorder, attached) = Recorder::attach(folder.path());
    Script::new(folder.path().join(STORE), &recorder).run().await;
    drop(attached);

    let mut first = Cuts::default();
    let mut second_steps = 0;
    for (step, entry) in (1..).zip(recorder.entries()) {
        first.apply(&mut platter, &entry);
        if step % 41 == 0 {
            let image = platter.after_power_cut(Survivors::AnySectors);
            second_steps += cut_while_recovering(&image, &first.promises, step).await;
        }
    }
    println!("the power is cut twice: {second_steps} steps of recovery");
    assert!(second_steps > 100, "{second_steps} steps");
}

async fn cut_while_recovering(image: &Image, promises: &Promises, seed: u64) -> usize {
    let folder = written(image);
    let mut platter = Platter::of(folder.path(), seed);
    let (recorder, attached) = Recorder::attach(folder.path());
    script::check(&folder.path().join(STORE), promises).await;
    drop(attached);
    let mut cuts = Cuts { promises: promises.clone(), ..Cuts::default() };
    for entry in recorder.entries() {
        cuts.apply(&mut platter, &entry);
        cuts.check(&platter.after_power_cut(Survivors::AnySectors), Survivors::AnySectors).await;
    }
    cuts.steps
}

/// Goes through a record, and looks at what a power cut would leave after each step.
#[derive(Default)]
pub(crate) struct Cuts {
    promises: Promises,
    steps: usize,
    seen: HashSet<u64>,
}

impl Cuts {
    async fn step(&mut self, platter: &mut Platter, entry: &Entry, draws: &[Survivors]) {
        self.apply(platter, entry);
        for &survivors in draws {
            let image = platter.after_power_cut(survivors);
            // Much of what happens changes nothing that survives.
            if self.seen.insert(hash(&image, &self.promises)) {
                self.check(&image, survivors).await;
            }
        }
    }

    pub(crate) fn apply(&mut self, platter: &mut Platter, entry: &Entry) {
        self.steps += 1;
        match entry {
            Entry::Happened(happened) => platter.apply(happened),
            Entry::Promised(what, number) => {
                self.promises.insert(what.clone(), *number);
            }
        }
    }

    pub(crate) fn promises(&self) -> &Promises {
        &self.promises
    }

    async fn check(&self, image: &Image, survivors: Survivors) {
        let folder = written(image);
        let context = format!("after step {}, with {survivors:?} left of what waited", self.steps);
        check(folder, &self.promises, &context).await;
    }
}

/// Checks the store in `folder`; keeps the folder when something is wrong.
pub(crate) async fn check(folder: TempDir, promises: &Promises, context: &str) {
    // Opening changes the files.
    let evidence: Vec<_> = [STORE, "store.db-wal"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), fs::read(folder.path().join(name)).ok()?)))
        .collect();
    let (path, promises) = (folder.path().join(STORE), promises.clone());
    let checked = tokio::spawn(async move {
        script::check(&path, &promises).await;
        check_file(&path);
    });
    if checked.await.is_err() {
        let kept = folder.keep();
        write(&evidence.into_iter().collect(), &kept);
        panic!("{context}; the disk is kept in {}", kept.display());
    }
}

fn hash(image: &Image, promises: &Promises) -> u64 {
    let mut hasher = DefaultHasher::new();
    (image, promises).hash(&mut hasher);
    hasher.finish()
}

/// A folder with these files.
pub(crate) fn written(image: &Image) -> TempDir {
    let folder = disk::folder();
    write(image, folder.path());
    folder
}

fn write(image: &Image, folder: &Path) {
    for (name, content) in image {
        fs::write(folder.join(name), content).unwrap();
    }
}
