/**
 * Where Cinder's scheduler raises an error that was never meant as an answer, and the request ends in it, this scheduler gives
 * a defined answer. These are all the places. Anything else agrees with Cinder.
 */

/** One such place: Cinder's behavior, the answer here, and the reason for it. */
export type DefinedAnswer = { where: string; cinder: string; answer: string; reason: string };

/** All places in which an error of Cinder's was replaced. */
export const DEFINED_ANSWERS: readonly DefinedAnswer[] = [
  {
    where: "CapacityFilter, thin pool whose usable capacity times ratio is 0 (all of it reserved)",
    cinder: "ZeroDivisionError ends the request",
    answer: "the pool fails the filter",
    reason: "nothing of it is usable, and one such pool must not stop placements on the others",
  },
  {
    where:
      "CapacityFilter, total, reserve, provisioned or (thick) free that is null or a string that is not a number; ratio that is null",
    cinder: "TypeError, ValueError or OverflowError ends the request",
    answer: "the pool fails the filter",
    reason: "a broken report is one driver's fault, and unknown space is not given away",
  },
  {
    where: "CapacityFilter, weighers and consumption, free, provisioned or allocated capacity as numeric text",
    cinder: "TypeError ends the request (total and reserve as text are read)",
    answer: "read as the number",
    reason: "the same text is accepted as the total",
  },
  {
    where: "CapacityFilter, request without a size",
    cinder: "TypeError ends the request",
    answer: "every pool whose capacity is finite fails the filter",
    reason: "a volume is placed only where it is known to fit; the reason says that the size is missing",
  },
  {
    where: "extra specs, numeric operator on a list or mapping",
    cinder: "TypeError ends the request",
    answer: "no match",
    reason: "the same as for a string that is not a number",
  },
  {
    where: "extra specs, s<, s<=, s>, s>= on a capability that is not a string",
    cinder: "TypeError ends the request",
    answer: "no match",
    reason: "the requirement needs a string, and there is none",
  },
  {
    where: "extra specs, <in> on a number or boolean",
    cinder: "TypeError ends the request",
    answer: "no match",
    reason: "nothing is contained in a number",
  },
  {
    where: "extra specs, a lone <or>",
    cinder: "IndexError ends the request",
    answer: "no match",
    reason: "no alternative is named, so none is met",
  },
  {
    where: "extra specs, requirement that is neither a string nor null",
    cinder: "AttributeError ends the request",
    answer: "no match",
    reason: "the API stores strings only; other values are not interpreted",
  },
  {
    where: "CapacityWeigher, multiplier of 0 or less and no candidate with a finite capacity",
    cinder: "ValueError ends the request",
    answer: "all candidates weigh 0",
    reason: "they are equal, as they are with a positive multiplier",
  },
  {
    where: "CapacityWeigher, figure that is null or not a number (CapacityFilter switched off)",
    cinder: "TypeError or ValueError ends the request",
    answer: "weighs like an unknown capacity",
    reason: "the capacity is unknown",
  },
  {
    where: "AllocatedCapacityWeigher, allocated capacity that is null or not a number",
    cinder: "TypeError ends the request",
    answer: "weighs as 0",
    reason: "Cinder's own default for a pool that does not report it",
  },
  {
    where: "consumption from a pool whose free capacity is null or not a number",
    cinder: "TypeError after allocated and provisioned were changed; the time does not move",
    answer: "allocated and provisioned grow, free stays as it is, the time moves",
    reason: "the consumption is complete, as it is for an unknown free capacity",
  },
  {
    where: "consumption from a pool whose allocated or provisioned capacity is null or not a number",
    cinder: "TypeError",
    answer: "counted from 0",
    reason: "Cinder's own default for a pool that does not report it",
  },
  {
    where: "pool report, ratio that is not a number",
    cinder: "ValueError or TypeError while the state map is refreshed: nothing is scheduled at all",
    answer: "ratio 1",
    reason: "without a readable ratio nothing is over-subscribed",
  },
  {
    where: 'pool report, ratio "auto" with a null figure, or with free exactly 1 GiB above total',
    cinder: "TypeError or ZeroDivisionError while the state map is refreshed: nothing is scheduled at all",
    answer: "ratio 1",
    reason: "without the used space over-subscription cannot be justified",
  },
  {
    where: "pool report, a pool without a name",
    cinder: "KeyError while the state map is refreshed: nothing is scheduled at all",
    answer: "the pool is skipped, the others are used",
    reason: "nothing can be placed by name on a pool that has none",
  },
  {
    where: "retry without num_attempts, or with one that is not a whole number",
    cinder: "KeyError or TypeError ends the request",
    answer: "counts the backends that the retry lists, 0 if it lists none, and adds the new attempt",
    reason: "the list gives the number of attempts, and a message that lost its count cannot circulate for ever",
  },
  {
    where: "IgnoreAttemptedHostsFilter, retry.backends that is null",
    cinder: "TypeError ends the request",
    answer: "counts as an empty list",
    reason: "null and empty both mean that nothing was tried",
  },
];
