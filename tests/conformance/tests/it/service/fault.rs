/// One way to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Not wrong: the other of the two tolerated forms.
    RestartsAfterEmit,
    /// `Metadata` is there, and empty.
    EmptyMetadataOnForwards,
    NoSnapshots,
    /// The fifth command takes the snapshot, and not the fifth event.
    SnapshotsByCommands,
    /// The snapshot lacks the events of its own command.
    SnapshotsBeforeEvents,
    SideEffectsReversed,
    SideEffectsAsynchronous,
    SideEffectsOfFailedCommands,
    /// In place of a failure of the command.
    FailuresOfTheStream,
    /// The state keeps what a failed command did.
    NoRollback,
    /// Also where nothing was emitted.
    AlwaysRestarts,
    /// After a half-close.
    NeverEnds,
    /// Ends with an error after a half-close.
    EndsWithError,
    /// Of events.
    WrongTypeUrl,
    /// Fields that hold their defaults are written.
    DefaultsWritten,
    /// One more message after a half-close.
    ExtraMessageAtTheEnd,
    /// Forwards are not sent.
    StallsOnForwards,
    /// The stream breaks at a command that fails.
    BreaksOnFailures,
    /// `init.state` is taken for a state even without a value.
    EmptyValueState,
    /// Of a command; the last should win.
    FirstValueActionWins,
    /// A message for each, in place of the last.
    SnapshotIgnored,
    /// Sequence numbers start again at each stream.
    SequenceNotRestored,
    /// The failure's own command id.
    FailuresWithoutCommandId,
    NoPassivation,
    WrongPersistenceId,
    WrongProtocolVersion,
    ImportMissing,
    ServiceMissing,
    OptionsLost,
    /// Commands for another entity are handled.
    AnyEntity,
    /// The end of a call is told by one more, empty response.
    ExtraActionResponse,
    ActionFailuresWithCommandId,
    ActionSideEffectsDroppedOnFailure,
    /// The first group is all.
    ActionFirstGroupOnly,
}
