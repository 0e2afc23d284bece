import { inlineFunction, stateMachine } from "./fixtures.ts";

const arn = (logicalId: string) => ({ "Fn::GetAtt": [logicalId, "Arn"] });

/** A machine that waits for a minute or fails at once, with a rule on its ends that has a queue and a function for targets. */
export const INTERRUPTIBLE = {
  Machine: stateMachine({
    StartAt: "Choose",
    States: {
      Choose: {
        Type: "Choice",
        Choices: [{ Variable: "$.fail", BooleanEquals: true, Next: "Fail" }],
        Default: "Wait",
      },
      Fail: { Type: "Fail", Error: "Broken", Cause: "on order" },
      Wait: { Type: "Wait", Seconds: 60, End: true },
    },
  }),
  Ended: { Type: "AWS::SQS::Queue", Properties: {} },
  Rule: {
    Type: "AWS::Events::Rule",
    Properties: {
      EventPattern: { source: ["aws.states"], detail: { status: ["FAILED", "ABORTED", "TIMED_OUT"] } },
      Targets: [{ Id: "queue", Arn: arn("Ended"), InputPath: "$.detail" }],
    },
  },
};

/** The same, with a function for target that never takes an event. */
export const UNHEARD = {
  ...INTERRUPTIBLE,
  Deaf: inlineFunction("throw new Error('not now');"),
  DeafRule: {
    Type: "AWS::Events::Rule",
    Properties: {
      EventPattern: { source: ["aws.states"], detail: { status: ["FAILED"] } },
      Targets: [{ Id: "function", Arn: arn("Deaf") }],
    },
  },
};
