//! The settings as flags of a clap command.

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{
    Arguments,
    table::{REFERENCE, SETTINGS, Setting},
};

impl clap::Args for Arguments {
    fn augment_args(command: Command) -> Command {
        command.args(SETTINGS.iter().copied().map(flag)).arg(reference_argument())
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for Arguments {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let value =
            |setting: &&Setting| Some((setting.flag, matches.get_one::<String>(setting.flag)?.clone()));
        let properties = matches.get_many::<String>(REFERENCE).into_iter().flatten().cloned().collect();
        Ok(Self { flags: SETTINGS.iter().filter_map(value).collect(), properties })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn flag(setting: &Setting) -> Arg {
    let help =
        format!("{} [default: {}] [env: {}]", setting.meaning, setting.default, setting.variables.join(", "));
    let flag = Arg::new(setting.flag).long(setting.flag).help_heading(setting.topic).help(help);
    if setting.value.is_empty() {
        flag.num_args(0..=1).require_equals(true).default_missing_value("true").value_name("BOOL")
    } else {
        flag.value_name(setting.value)
    }
}

fn reference_argument() -> Arg {
    Arg::new(REFERENCE)
        .short('D')
        .value_name("KEY=VALUE")
        .action(ArgAction::Append)
        .help_heading(REFERENCE)
        .help(
            "For example -Dcloudstate.proxy.http-port=9000 or -Dconfig.resource=in-memory.conf; \
             one that is unknown here is a warning",
        )
}
