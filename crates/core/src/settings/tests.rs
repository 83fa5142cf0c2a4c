use std::path::Path;

use super::*;

static DESK: Section = Section::new(
    "desk",
    "DESK",
    &[
        Setting::new("url", Holds::Text, "", "where"),
        Setting::new(
            "rate",
            Holds::NumberOr {
                least: 1,
                most: 900,
                word: "adaptive",
            },
            "adaptive",
            "requests a minute",
        ),
        Setting::new(
            "parallel",
            Holds::Number { least: 1, most: 64 },
            "4",
            "at once",
        ),
        Setting::new(
            "spam",
            Holds::OneOf(&["include", "skip"]),
            "skip",
            "whether",
        ),
        Setting::new("share", Holds::Percent, "5", "percent"),
        Setting::new("raw", Holds::Switch, "false", "whether"),
        Setting::new("folder", Holds::Path, "", "where"),
        Setting::new("certificate", Holds::Contents, "", "whom"),
        Setting::new("password", Holds::Secret, "", "who"),
    ],
);
static TOWN: Section = Section::new("town", "TOWN", &[]);

const CANARY: &str = "canary-93b1";

fn parse(text: &str) -> Result<SettingsFile> {
    SettingsFile::parse(text, Path::new("etc/deskferry.toml"), &[&DESK, &TOWN])
}

fn vars(pairs: &'static [(&'static str, &'static str)]) -> impl Fn(&str) -> Option<String> {
    move |name| {
        let found = pairs.iter().find(|(n, _)| *n == name);
        found.map(|(_, value)| (*value).to_owned())
    }
}

#[test]
fn a_variable_wins_over_the_file_key_by_key() {
    let file =
        parse("[desk]\nurl = 'one'\nrate = 30\nraw = true\nshare = 2.5\nfolder = 'w'").unwrap();
    let env = vars(&[
        ("DESK_RATE", "adaptive"),
        ("DESK_PARALLEL", " 8 "),
        ("DESK_URL", "  "),
    ]);
    let settings = DESK.read(&env, Some(&file)).unwrap();
    assert_eq!(settings.text("url"), Some("one"));
    assert_eq!(settings.text("rate"), Some("adaptive"));
    assert_eq!(settings.number("parallel"), Some(8));
    assert_eq!(settings.percent("share"), Some(2.5));
    assert_eq!(
        settings.path("folder"),
        Some(Path::new("etc/w")),
        "relative to the folder of the file"
    );
    let all: serde_json::Value = settings.configure().unwrap();
    assert_eq!(
        all,
        serde_json::json!({"url": "one", "rate": "adaptive", "parallel": 8, "share": 2.5, "raw": true, "folder": "etc/w"})
    );
}

#[test]
fn what_is_wrong_in_a_file_is_said_with_its_line_and_never_with_a_value() {
    for (text, line, says) in [
        (
            "[desk]\n\npasword_file = 'CANARY'",
            3,
            "Did you mean `password_file`?",
        ),
        (
            "[desk]\ncolour = 'CANARY'",
            2,
            "It knows url, rate, parallel",
        ),
        ("[desk]\npassword = 'CANARY'", 2, "set DESK_PASSWORD"),
        (
            "[desk]\npassword = { a = 'CANARY' }",
            2,
            "set DESK_PASSWORD",
        ),
        ("[desk]\ncertificate = 'CANARY'", 2, "certificate_file"),
        ("[desk]\npassword_file = 12", 2, "the name of a file"),
        ("[desk]\npassword = CANARY", 2, "needs quotes"),
        ("[desk]\npassword = \"CANARY", 2, "no closing quote"),
        ("[desk]\npassword = 'CANARY", 2, "no closing quote"),
        ("[desk]\npassword = \"CANARY\\q\"", 2, "not TOML"),
        ("[desk]\npassword = 'CANARY' 'CANARY'", 2, "not TOML"),
        ("[desk]\npassword: CANARY", 2, "not TOML"),
        ("[desk]\nCANARY", 2, "not TOML"),
        ("[desk\nurl = 'CANARY'", 1, "needs `[` and `]`"),
        ("[desk]\nurl = 'CANARY'\nurl = 'CANARY'", 3, "twice"),
        ("[desk]\nurl = 4", 2, "a text in quotes"),
        (
            "[desk]\nrate = 'CANARY'",
            2,
            "a whole number from 1 to 900, or `adaptive`",
        ),
        ("[desk]\nrate = -3", 2, "from 1 to 900"),
        ("[desk]\nparallel = 65", 2, "from 1 to 64"),
        ("[desk]\nparallel = ['CANARY']", 2, "from 1 to 64"),
        ("[desk]\nspam = 'CANARY'", 2, "`include` or `skip`"),
        ("[desk]\nshare = 101.0", 2, "from 0 to 100"),
        ("[desk]\nshare = nan", 2, "from 0 to 100"),
        ("[desk]\nraw = 'CANARY'", 2, "`true` or `false`"),
        ("[dessk]\nurl = 'CANARY'", 1, "Did you mean [desk]?"),
        ("[sea]\nurl = 'CANARY'", 1, "It knows [desk], [town]"),
        ("url = 'CANARY'", 1, "belongs under [desk]"),
        ("town = 'CANARY'", 1, "is a section"),
    ] {
        let text = text.replace("CANARY", CANARY);
        let error = parse(&text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{text}");
        for shown in [error.to_string(), format!("{error:?}")] {
            assert!(
                shown.contains(&format!("etc/deskferry.toml, line {line}: ")),
                "{text}: {shown}"
            );
            assert!(shown.contains(says), "{text}: {shown}");
            assert!(!shown.contains(CANARY), "{text}: {shown}");
        }
    }
}

#[test]
fn what_is_wrong_in_a_variable_is_said_with_its_name_and_never_with_its_value() {
    for (env, says) in [
        (
            &[("DESK_RATE", CANARY)][..],
            "DESK_RATE must be a whole number from 1 to 900, or `adaptive`",
        ),
        (
            &[("DESK_PARALLEL", "0")][..],
            "DESK_PARALLEL must be a whole number from 1 to 64",
        ),
        (
            &[("DESK_RAW", "yes")][..],
            "DESK_RAW must be `true` or `false`",
        ),
        (
            &[("DESK_PASSWORD", CANARY), ("DESK_PASSWORD_FILE", "x")][..],
            "both DESK_PASSWORD and DESK_PASSWORD_FILE are set",
        ),
        (
            &[("DESK_PASSWORD_FILE", "/no/such/file")][..],
            "DESK_PASSWORD_FILE names a file that cannot be read",
        ),
    ] {
        let error = DESK.read(&vars(env), None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(says), "{error}");
        assert!(!error.to_string().contains(CANARY), "{error}");
    }
}

#[test]
fn a_secret_comes_from_a_file_beside_the_configuration_and_is_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("secret"), format!("{CANARY} \n")).unwrap();
    std::fs::write(at("empty"), "\n").unwrap();
    let read = |text: &str| {
        let file = SettingsFile::parse(text, &at("deskferry.toml"), &[&DESK]).unwrap();
        DESK.read(&|_| None, Some(&file))
    };
    let settings = read("[desk]\npassword_file = 'secret'\ncertificate_file = 'secret'").unwrap();
    let told: serde_json::Value = settings.configure().unwrap();
    assert_eq!(
        told["password"],
        format!("{CANARY} "),
        "only the end of the line is cut"
    );
    assert_eq!(settings.text("password"), None);
    assert_eq!(settings.text("certificate"), Some(&*format!("{CANARY} ")));
    let secret = Value::Secret(crate::http::SecretString::new(CANARY));
    assert!(!format!("{secret:?}").contains(CANARY));
    for (text, says) in [
        ("[desk]\npassword_file = 'empty'", "it is empty"),
        (
            "[desk]\npassword_file = 'nowhere'",
            "line 2: `password_file` names a file that cannot be read",
        ),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn a_secret_that_every_account_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, CANARY).unwrap();
    let name = path.display().to_string();
    for (mode, warned) in [(0o600, 0), (0o640, 0), (0o644, 1)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let env = |var: &str| (var == "DESK_PASSWORD_FILE").then(|| name.clone());
        let settings = DESK.read(&env, None).unwrap();
        assert_eq!(settings.warnings().len(), warned, "{mode:o}");
        assert!(!settings.warnings().join("").contains(CANARY));
    }
}

#[test]
fn a_key_that_is_needed_is_named_with_its_variable() {
    #[derive(Debug, serde::Deserialize)]
    struct Desk {
        #[serde(rename = "url")]
        _url: String,
    }
    let error = DESK.without_anything().configure::<Desk>().unwrap_err();
    assert!(error.to_string().contains("DESK_URL is not set"), "{error}");
    assert!(
        error.to_string().contains("`url = …` under [desk]"),
        "{error}"
    );
}

impl Section {
    fn without_anything(&'static self) -> Settings {
        self.read(&|_| None, None).unwrap()
    }
}
