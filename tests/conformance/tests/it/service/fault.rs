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
    /// An `init` without a value is taken for a state.
    EmptyValueState,
    /// Of a command; the last should win.
    FirstValueActionWins,
    /// The state of an `init`.
    SnapshotIgnored,
    /// Sequence numbers start again at each stream.
    SequenceNotRestored,
    /// In the failure itself; the reply has it.
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
