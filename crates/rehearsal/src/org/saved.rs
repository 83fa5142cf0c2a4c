//! An org as one file: its database and the bytes of its files, in the format of tar, so that any machine can look inside.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Component, Path};

const BLOCK: usize = 512;
/// Sizes that eleven octal digits cannot say.
const LARGE: u64 = 1 << 33;

/// Writes files into an archive.
struct Archive<W: Write> {
    out: W,
}

impl<W: Write> Archive<W> {
    /// A file under this name.
    fn add(&mut self, name: &str, file: &Path) -> io::Result<()> {
        let mut from = File::open(file)?;
        let size = from.metadata()?.len();
        self.out.write_all(&header(name, size)?)?;
        let copied = io::copy(&mut (&mut from).take(size), &mut self.out)?;
        if copied != size {
            return Err(io::Error::other(format!(
                "{} became shorter",
                file.display()
            )));
        }
        let rest = (BLOCK - usize::try_from(size % BLOCK as u64).unwrap_or(0)) % BLOCK;
        self.out.write_all(&[0; BLOCK][..rest])
    }

    fn finish(mut self) -> io::Result<()> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        self.out.flush()
    }
}

fn header(name: &str, size: u64) -> io::Result<[u8; BLOCK]> {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, text: &[u8]| block[at..at + text.len()].copy_from_slice(text);
    if name.len() > 100 {
        return Err(io::Error::other(format!("{name} does not fit the archive")));
    }
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    if size < LARGE {
        put(124, format!("{size:011o}\0").as_bytes());
    } else {
        // As other programs write what eleven octal digits cannot say: in bytes, the first of them marked.
        put(124, &[0x80, 0, 0, 0]);
        put(128, &size.to_be_bytes());
    }
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(block)
}

/// Writes a database and the folder of files beside it into one file, under another name first.
pub(super) fn pack(database: &Path, blobs: &Path, to: &Path) -> io::Result<()> {
    let half = to.with_extension("half");
    let mut archive = Archive {
        out: BufWriter::new(File::create(&half)?),
    };
    archive.add("org.sqlite", database)?;
    let mut folders: Vec<_> = fs::read_dir(blobs)?.collect::<io::Result<_>>()?;
    folders.sort_by_key(fs::DirEntry::file_name);
    for folder in folders {
        let mut files: Vec<_> = fs::read_dir(folder.path())?.collect::<io::Result<_>>()?;
        files.sort_by_key(fs::DirEntry::file_name);
        for file in files {
            let (part, name) = (folder.file_name(), file.file_name());
            let name = format!(
                "blobs/{}/{}",
                part.to_string_lossy(),
                name.to_string_lossy()
            );
            archive.add(&name, &file.path())?;
        }
    }
    archive.finish()?;
    fs::rename(half, to)
}

/// Makes a state folder out of such a file; the folder must be empty or absent.
pub(super) fn unpack(from: &Path, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    if fs::read_dir(folder)?.next().is_some() {
        return Err(io::Error::other(format!(
            "{} is not empty",
            folder.display()
        )));
    }
    let broken = || io::Error::other(format!("{} is no saved org", from.display()));
    let mut archive = BufReader::new(File::open(from)?);
    let mut is_first = true;
    loop {
        let mut block = [0; BLOCK];
        archive.read_exact(&mut block).map_err(|_| broken())?;
        if block.iter().all(|byte| *byte == 0) {
            return if is_first { Err(broken()) } else { Ok(()) };
        }
        let text = |range: std::ops::Range<usize>| {
            let bytes = block[range]
                .split(|byte| *byte == 0)
                .next()
                .unwrap_or_default();
            String::from_utf8_lossy(bytes).trim().to_owned()
        };
        let name = text(0..100);
        let size = size_of(&block).ok_or_else(broken)?;
        let inside = Path::new(&name)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        let known = name == "org.sqlite" || name.starts_with("blobs/");
        if !inside || !known || (is_first && name != "org.sqlite") {
            return Err(broken());
        }
        is_first = false;
        let path = folder.join(&name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let copied = io::copy(&mut (&mut archive).take(size), &mut File::create(path)?)?;
        if copied != size {
            return Err(broken());
        }
        let rest = (BLOCK - usize::try_from(size % BLOCK as u64).unwrap_or(0)) % BLOCK;
        archive
            .read_exact(&mut [0; BLOCK][..rest])
            .map_err(|_| broken())?;
    }
}

/// The size that a header tells.
fn size_of(block: &[u8; BLOCK]) -> Option<u64> {
    let field = &block[124..136];
    if field[0] == 0x80 {
        return Some(u64::from_be_bytes(field[4..].try_into().ok()?));
    }
    let digits = field.split(|byte| *byte == 0).next()?;
    u64::from_str_radix(std::str::from_utf8(digits).ok()?.trim(), 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_size_is_told_and_read() {
        for size in [0, 1, 511, LARGE - 1, LARGE, 11 * LARGE + 7, u64::MAX] {
            assert_eq!(
                size_of(&header("org.sqlite", size).unwrap()),
                Some(size),
                "{size}"
            );
        }
    }

    #[test]
    fn what_is_no_saved_org_is_refused_and_nothing_is_written_beside_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let (file, to) = (folder.path().join("org.tar"), folder.path().join("state"));
        for content in [Vec::new(), b"no archive".to_vec(), vec![0; 2 * BLOCK], {
            let mut escaping = header("../org.sqlite", 0).unwrap().to_vec();
            escaping.extend([0; 2 * BLOCK]);
            escaping
        }] {
            fs::write(&file, content).unwrap();
            let refused = unpack(&file, &to).unwrap_err().to_string();
            assert!(refused.contains("is no saved org"), "{refused}");
            assert_eq!(fs::read_dir(&to).unwrap().count(), 0);
        }
        assert!(!folder.path().join("org.sqlite").exists());
    }
}
