//! `ringback backup`, `restore` and `store …`: the data directory's store, without the switch.

use super::args::{Backup, Global, Restore, StoreCommand};
use super::client::Client;
use super::{Exit, Trouble, print, print_json};
use crate::run::standing::note_backup;
use crate::store::Lock;
use crate::store::archive::{self, KEY_FILE, Key, Made, Manifest};
use crate::store::export;
use crate::store::lock::LockError;
use crate::store::state::Digest;
use crate::store::verify::{Verified, ViewSeen};
use hyper::Method;
use serde_json::json;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a server may take to make a backup before its first octet comes.
const BACKUP: Duration = Duration::from_secs(600);

/// Writes a backup: through the server that works in the data directory, or by ourselves when none does.
pub(super) fn back_up(global: &Global, args: &Backup) -> Result<Exit, Trouble> {
    let unfinished = args.file.with_added_extension("unfinished");
    if args.file.exists() {
        return Err(Trouble::failed(format!("{} is there already", args.file.display())));
    }
    // One of a run that was killed is of no use to anybody.
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)
        .map_err(|error| at(&unfinished, &error))?;
    let kept = write_backup(global, args, &mut file).and_then(|made| {
        file.sync_all().map_err(|error| at(&unfinished, &error))?;
        let renamed = std::fs::rename(&unfinished, &args.file).and_then(|()| archive::sync_folder_of(&args.file));
        renamed.map(|()| made).map_err(|error| at(&args.file, &error))
    });
    let made = kept.inspect_err(|_| {
        drop(std::fs::remove_file(&unfinished)); // It is of no use, and says so by its name.
    })?;
    if let Some(made) = made {
        note_backup(&global.data);
        if let Err(error) = made.received() {
            eprintln!("the backup is whole, but what was kept for it could not be removed: {error}");
        }
    }
    let octets = file.metadata().map(|metadata| metadata.len()).unwrap_or_default();
    let key = args.key.clone().unwrap_or_else(|| global.data.join(KEY_FILE));
    if global.json {
        print_json(&json!({ "file": args.file, "octets": octets, "key": key }))?;
    } else {
        let (file, key) = (args.file.display(), key.display());
        print(&format!(
            "{file}: {octets} octets\nThe key is {key}. Keep a copy of it away from this machine: without it nobody \
             can restore.\n"
        ))?;
    }
    Ok(Exit::Done)
}

/// What was written by ourselves makes something needless as soon as it is on the disk; a server sees to that itself.
fn write_backup(global: &Global, args: &Backup, file: &mut File) -> Result<Option<Made>, Trouble> {
    if is_served(&global.data)? {
        if args.key.is_some() {
            let key = global.data.join(KEY_FILE);
            let sentence = format!("a running server uses the key in {}; leave --key out", key.display());
            return Err(Trouble::new(Exit::Usage, sentence));
        }
        return ask_for_backup(global, file).map(|()| None);
    }
    let key = args.key.clone().unwrap_or_else(|| global.data.join(KEY_FILE));
    let key = Key::read_or_make(&key).map_err(|error| at(&key, &error))?;
    let made = archive::back_up_at_rest(&global.data, &key, BufWriter::new(file));
    made.map(Some).map_err(|error| at(&global.data, &error))
}

fn is_served(data: &Path) -> Result<bool, Trouble> {
    if !data.join("store").exists() {
        return Err(Trouble::failed(format!("there is no store in {}; name another with --data", data.display())));
    }
    match Lock::take(data, Duration::ZERO) {
        Ok(_) => Ok(false),
        Err(LockError::Held(_)) => Ok(true),
        Err(LockError::Io(error)) => Err(at(data, &error)),
    }
}

fn ask_for_backup(global: &Global, file: &mut File) -> Result<(), Trouble> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Trouble::failed(format!("this machine gives no event loop: {error}")))?;
    let client = Client::new(global)?.patient(BACKUP);
    runtime.block_on(client.download(Method::POST, "/store/backup", file)).map(drop)
}

/// Puts a backup in its place, or only reads it.
pub(super) fn restore(global: &Global, args: &Restore) -> Result<Exit, Trouble> {
    let source = BufReader::new(File::open(&args.file).map_err(|error| at(&args.file, &error))?);
    let path = args.key.clone().unwrap_or_else(|| global.data.join(KEY_FILE));
    let key = Key::read(&path).map_err(|error| {
        let error = at(&path, &error);
        Trouble { sentence: format!("{}; name the backup's key with --key", error.sentence), ..error }
    })?;
    let refused = |error: archive::RestoreError| at(&args.file, &error);
    if args.verify {
        let place = if global.data.exists() { global.data.clone() } else { std::env::temp_dir() };
        let manifest = archive::verify(source, &key, &place).map_err(refused)?;
        return said(global, &manifest, "is whole", None);
    }
    let (manifest, aside) = archive::restore(source, &key, &global.data, args.replace).map_err(refused)?;
    said(global, &manifest, "is the store now", aside.as_deref())
}

fn said(global: &Global, manifest: &Manifest, what: &str, aside: Option<&Path>) -> Result<Exit, Trouble> {
    if global.json {
        print_json(&json!({ "records": manifest.records, "commits": manifest.last, "moved_aside": aside }))?;
        return Ok(Exit::Done);
    }
    let mut text = format!("The backup {what}: {} records after {} commits.\n", manifest.records, manifest.last);
    if let Some(aside) = aside {
        text += &format!("The store that was there is in {} now.\n", aside.display());
    }
    if what != "is whole" {
        text += "Callbacks that were kept after the backup was made are open in it: look at `ringback callback list` \
                 before agents log in.\n";
    }
    print(&text)?;
    Ok(Exit::Done)
}

/// `store verify | export | import`
pub(super) fn store(global: &Global, command: &StoreCommand) -> Result<Exit, Trouble> {
    match command {
        StoreCommand::Verify => verify(global),
        StoreCommand::Export { file } => {
            has_journal(&global.data)?;
            let digest = match is_standard(file) {
                true => write_export(&global.data, io::stdout().lock())?,
                false => export_to(&global.data, file)?,
            };
            eprintln!("{} records written", digest.count);
            Ok(Exit::Done)
        }
        StoreCommand::Import { file } => {
            let input: Box<dyn io::Read> = match is_standard(file) {
                true => Box::new(io::stdin().lock()),
                false => Box::new(File::open(file).map_err(|error| at(file, &error))?),
            };
            let done = export::import(&global.data, BufReader::new(input), progress("read"));
            let digest = done.map_err(|error| at(file, &error))?;
            eprintln!("{} records read", digest.count);
            Ok(Exit::Done)
        }
    }
}

fn write_export(data: &Path, out: impl Write) -> Result<Digest, Trouble> {
    export::export(data, &mut BufWriter::new(out), progress("written")).map_err(|error| at(data, &error))
}

/// The whole export is in the file, and on the disk, or there is no file.
fn export_to(data: &Path, path: &Path) -> Result<Digest, Trouble> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = made.map_err(|error| at(path, &error))?;
    let kept = write_export(data, &mut file).and_then(|digest| {
        let synced = file.sync_all().and_then(|()| archive::sync_folder_of(path));
        synced.map(|()| digest).map_err(|error| at(path, &error))
    });
    kept.inspect_err(|_| drop(std::fs::remove_file(path))) // Half an export is none.
}

fn has_journal(data: &Path) -> Result<(), Trouble> {
    if data.join("store/journal").exists() {
        return Ok(());
    }
    let data = data.display();
    Err(Trouble::failed(format!(
        "there is no store with a journal in {data}; name another with --data (a server of this version gives an older \
         store one at its start)"
    )))
}

fn verify(global: &Global) -> Result<Exit, Trouble> {
    has_journal(&global.data)?;
    let verified = Verified::of(&global.data).map_err(|error| at(&global.data, &error))?;
    if global.json {
        print_json(&json!({
            "well": verified.is_well(),
            "commits": verified.last,
            "records": verified.state.as_ref().ok().map(|state| state.count),
            "files": verified.files.iter().map(|file| json!({
                "name": file.name, "octets": file.octets, "records": file.records, "last": file.last,
                "damage": file.damage.iter().map(ToString::to_string).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
            "damage": verified.damage.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "bad": verified.bad,
            "lost": verified.lost,
            "view": view_text(&verified.view),
        }))?;
    } else {
        print(&verified_text(&verified))?;
    }
    Ok(if verified.is_well() { Exit::Done } else { Exit::Failed })
}

fn verified_text(verified: &Verified) -> String {
    let mut text = String::new();
    for file in &verified.files {
        let what = if file.name.ends_with(".ckp") { "records" } else { "commits" };
        let ok = if file.damage.is_empty() { "ok" } else { "DAMAGED" };
        text += &format!("{}  {:>9} {what}, up to commit {:>9}  {ok}\n", file.name, file.records, file.last);
    }
    let damage = verified.files.iter().flat_map(|file| &file.damage).chain(&verified.damage);
    text.extend(damage.map(|damage| format!("{damage}\n")));
    text.extend(verified.bad.iter().map(|bad| format!("{bad}\n")));
    text += &match &verified.state {
        Ok(state) => format!("{} records after {} commits\n", state.count, verified.last),
        Err(why) => format!("the state cannot be read: {why}\n"),
    };
    if verified.lost > 0 {
        text += &format!("{} acknowledged commits are not in the journal\n", verified.lost);
    }
    text += &format!("view: {}\n", view_text(&verified.view));
    text += if verified.is_well() { "all well\n" } else { "NOT WELL: keep a copy of the data directory\n" };
    text
}

fn view_text(view: &ViewSeen) -> String {
    match view {
        ViewSeen::Good(last) => format!("good, up to commit {last}"),
        ViewSeen::Missing => "none; the next start makes it".to_owned(),
        ViewSeen::InUse(Some(pid)) => format!("not looked at: process {pid} works with it"),
        ViewSeen::InUse(None) => "not looked at: a process works with it".to_owned(),
        ViewSeen::Ahead(last) => {
            format!("it has commits up to {last}, which the journal has lost; the next start goes on from the view")
        }
        ViewSeen::Doubted(why) => {
            format!("doubtful ({why}); the next start makes it anew, and nothing is lost by that")
        }
    }
}

fn is_standard(file: &Path) -> bool {
    file == Path::new("-")
}

fn at(path: &Path, error: &dyn std::fmt::Display) -> Trouble {
    Trouble::failed(format!("{}: {error}", path.display()))
}

/// A line on the terminal, once a second.
fn progress(what: &'static str) -> impl FnMut(u64) {
    let (shown, mut last) = (io::stderr().is_terminal(), Instant::now());
    move |count| {
        if shown && last.elapsed() >= Duration::from_secs(1) {
            last = Instant::now();
            eprint!("\r{count} records {what}");
        }
    }
}
