// @ts-nocheck
function stryNS_9fa48() {
  var g = typeof globalThis === 'object' && globalThis && globalThis.Math === Math && globalThis || new Function("return this")();
  var ns = g.__stryker__ || (g.__stryker__ = {});
  if (ns.activeMutant === undefined && g.process && g.process.env && g.process.env.__STRYKER_ACTIVE_MUTANT__) {
    ns.activeMutant = g.process.env.__STRYKER_ACTIVE_MUTANT__;
  }
  function retrieveNS() {
    return ns;
  }
  stryNS_9fa48 = retrieveNS;
  return retrieveNS();
}
stryNS_9fa48();
function stryCov_9fa48() {
  var ns = stryNS_9fa48();
  var cov = ns.mutantCoverage || (ns.mutantCoverage = {
    static: {},
    perTest: {}
  });
  function cover() {
    var c = cov.static;
    if (ns.currentTestId) {
      c = cov.perTest[ns.currentTestId] = cov.perTest[ns.currentTestId] || {};
    }
    var a = arguments;
    for (var i = 0; i < a.length; i++) {
      c[a[i]] = (c[a[i]] || 0) + 1;
    }
  }
  stryCov_9fa48 = cover;
  cover.apply(null, arguments);
}
function stryMutAct_9fa48(id) {
  var ns = stryNS_9fa48();
  function isActive(id) {
    if (ns.activeMutant === id) {
      if (ns.hitCount !== void 0 && ++ns.hitCount > ns.hitLimit) {
        throw new Error('Stryker: Hit count limit reached (' + ns.hitCount + ')');
      }
      return true;
    }
    return false;
  }
  stryMutAct_9fa48 = isActive;
  return isActive(id);
}
import { isCachedVolume } from "./image-cache.ts";
import { attemptOfFence, type BackendRecord, type CapacityClaim, fenceOf, isInFlow, RETURNED_CAPACITY, STATUSES_CREATED, type VolumeRecord } from "./records.ts";
import { DEFAULT_PHASE_BOUNDS, type PhaseBounds } from "./time-bounds.ts";

/**
 * What an open claim says. A claim is closed last, when the volume's record and everybody who is told of it know how the attempt
 * ended. So a claim whose volume has left the flow means "not all told yet": it is the outbox of `volume.create.end` and
 * `volume.create.error` (docs/adr/0011).
 */

/** What the end of an attempt is told by. */
export type EndEvent = "volume.create.end" | "volume.create.error";

/**
 * What is to be done about an open claim.
 *
 * - `leave`: whoever made it still needs it.
 * - `forget`: it is the mark of a deletion that has ended.
 * - `settle`, `release`: as the methods of the repository, after the event is told, if there is one.
 */
export type ClaimFate = {
  action: "leave" | "forget" | "settle" | "release";
  tell?: EndEvent;
};

/** A claim as it stands on a backend's item. */
export type OpenClaim = {
  host: string;
  volumeId: string;
  claim: CapacityClaim;
};

/** The open claims of all backends, the oldest first. */
export function openClaims(backends: readonly BackendRecord[]): OpenClaim[] {
  if (stryMutAct_9fa48("0")) {
    {}
  } else {
    stryCov_9fa48("0");
    return backends.flatMap(stryMutAct_9fa48("1") ? () => undefined : (stryCov_9fa48("1"), ({
      host,
      claims
    }) => Object.entries(claims).map(stryMutAct_9fa48("2") ? () => undefined : (stryCov_9fa48("2"), ([volumeId, claim]) => stryMutAct_9fa48("3") ? {} : (stryCov_9fa48("3"), {
      host,
      volumeId,
      claim
    }))))).toSorted(stryMutAct_9fa48("4") ? () => undefined : (stryCov_9fa48("4"), (one, other) => (stryMutAct_9fa48("8") ? one.claim.claimed_at >= other.claim.claimed_at : stryMutAct_9fa48("7") ? one.claim.claimed_at <= other.claim.claimed_at : stryMutAct_9fa48("6") ? false : stryMutAct_9fa48("5") ? true : (stryCov_9fa48("5", "6", "7", "8"), one.claim.claimed_at < other.claim.claimed_at)) ? stryMutAct_9fa48("9") ? +1 : (stryCov_9fa48("9"), -1) : 1));
  }
}

/**
 * Whether a claim is the one whose capacity the volume has on that host. An attempt starts with its claim: its `started_at` is the
 * claim's `claimed_at`. A volume can be claimed again on the same host only when the claim before is closed, so the time tells
 * one from the other, where a late delivery of the same attempt has claimed anew.
 */
export function isClaimOf(volume: VolumeRecord, host: string, claim: CapacityClaim): boolean {
  if (stryMutAct_9fa48("10")) {
    {}
  } else {
    stryCov_9fa48("10");
    const line = volume.attempts[claim.attempt];
    return stryMutAct_9fa48("13") ? volume.host === host && volume.fence === fenceOf(volume.id, claim.attempt) || line === undefined || line.started_at === claim.claimed_at : stryMutAct_9fa48("12") ? false : stryMutAct_9fa48("11") ? true : (stryCov_9fa48("11", "12", "13"), (stryMutAct_9fa48("15") ? volume.host === host || volume.fence === fenceOf(volume.id, claim.attempt) : stryMutAct_9fa48("14") ? true : (stryCov_9fa48("14", "15"), (stryMutAct_9fa48("17") ? volume.host !== host : stryMutAct_9fa48("16") ? true : (stryCov_9fa48("16", "17"), volume.host === host)) && (stryMutAct_9fa48("19") ? volume.fence !== fenceOf(volume.id, claim.attempt) : stryMutAct_9fa48("18") ? true : (stryCov_9fa48("18", "19"), volume.fence === fenceOf(volume.id, claim.attempt))))) && (stryMutAct_9fa48("21") ? line === undefined && line.started_at === claim.claimed_at : stryMutAct_9fa48("20") ? true : (stryCov_9fa48("20", "21"), (stryMutAct_9fa48("23") ? line !== undefined : stryMutAct_9fa48("22") ? false : (stryCov_9fa48("22", "23"), line === undefined)) || (stryMutAct_9fa48("25") ? line.started_at !== claim.claimed_at : stryMutAct_9fa48("24") ? false : (stryCov_9fa48("24", "25"), line.started_at === claim.claimed_at)))));
  }
}

/** What the volume's record, as it is now, says of a claim. Any answer may be acted upon twice, and late. */
export function claimFate(open: OpenClaim, volume: VolumeRecord | undefined): ClaimFate {
  if (stryMutAct_9fa48("26")) {
    {}
  } else {
    stryCov_9fa48("26");
    const {
      host,
      claim
    } = open;
    if (stryMutAct_9fa48("29") ? claim.attempt !== RETURNED_CAPACITY : stryMutAct_9fa48("28") ? false : stryMutAct_9fa48("27") ? true : (stryCov_9fa48("27", "28", "29"), claim.attempt === RETURNED_CAPACITY)) {
      if (stryMutAct_9fa48("30")) {
        {}
      } else {
        stryCov_9fa48("30");
        return stryMutAct_9fa48("31") ? {} : (stryCov_9fa48("31"), {
          action: (stryMutAct_9fa48("34") ? volume !== undefined : stryMutAct_9fa48("33") ? false : stryMutAct_9fa48("32") ? true : (stryCov_9fa48("32", "33", "34"), volume === undefined)) ? stryMutAct_9fa48("35") ? "" : (stryCov_9fa48("35"), "forget") : stryMutAct_9fa48("36") ? "" : (stryCov_9fa48("36"), "leave")
        });
      }
    }
    if (stryMutAct_9fa48("39") ? volume !== undefined : stryMutAct_9fa48("38") ? false : stryMutAct_9fa48("37") ? true : (stryCov_9fa48("37", "38", "39"), volume === undefined)) {
      if (stryMutAct_9fa48("40")) {
        {}
      } else {
        stryCov_9fa48("40");
        return stryMutAct_9fa48("41") ? {} : (stryCov_9fa48("41"), {
          action: stryMutAct_9fa48("42") ? "" : (stryCov_9fa48("42"), "release")
        });
      }
    }
    // Its removal closes the claim; what that leaves behind is released when the record is gone.
    if (stryMutAct_9fa48("45") ? volume.delete_requested_at === null : stryMutAct_9fa48("44") ? false : stryMutAct_9fa48("43") ? true : (stryCov_9fa48("43", "44", "45"), volume.delete_requested_at !== null)) {
      if (stryMutAct_9fa48("46")) {
        {}
      } else {
        stryCov_9fa48("46");
        return stryMutAct_9fa48("47") ? {} : (stryCov_9fa48("47"), {
          action: stryMutAct_9fa48("48") ? "" : (stryCov_9fa48("48"), "leave")
        });
      }
    }
    // One with a deadline is being removed by the flow or the sweep, which closes its claim itself.
    if (stryMutAct_9fa48("51") ? isInFlow(volume.status) && volume.deadline !== null : stryMutAct_9fa48("50") ? false : stryMutAct_9fa48("49") ? true : (stryCov_9fa48("49", "50", "51"), isInFlow(volume.status) || (stryMutAct_9fa48("53") ? volume.deadline === null : stryMutAct_9fa48("52") ? false : (stryCov_9fa48("52", "53"), volume.deadline !== null)))) {
      if (stryMutAct_9fa48("54")) {
        {}
      } else {
        stryCov_9fa48("54");
        return stryMutAct_9fa48("55") ? {} : (stryCov_9fa48("55"), {
          action: isNeededInFlow(open, volume) ? stryMutAct_9fa48("56") ? "" : (stryCov_9fa48("56"), "leave") : stryMutAct_9fa48("57") ? "" : (stryCov_9fa48("57"), "release")
        });
      }
    }
    if (stryMutAct_9fa48("59") ? false : stryMutAct_9fa48("58") ? true : (stryCov_9fa48("58", "59"), isClaimOf(volume, host, claim))) {
      if (stryMutAct_9fa48("60")) {
        {}
      } else {
        stryCov_9fa48("60");
        const tell = endEventOf(volume);
        return (stryMutAct_9fa48("63") ? tell !== undefined : stryMutAct_9fa48("62") ? false : stryMutAct_9fa48("61") ? true : (stryCov_9fa48("61", "62", "63"), tell === undefined)) ? stryMutAct_9fa48("64") ? {} : (stryCov_9fa48("64"), {
          action: stryMutAct_9fa48("65") ? "" : (stryCov_9fa48("65"), "settle")
        }) : stryMutAct_9fa48("66") ? {} : (stryCov_9fa48("66"), {
          action: stryMutAct_9fa48("67") ? "" : (stryCov_9fa48("67"), "settle"),
          tell
        });
      }
    }
    const isQueuedError = stryMutAct_9fa48("70") ? volume.fault !== null && volume.host === null || volume.fault.attempt === claim.attempt : stryMutAct_9fa48("69") ? false : stryMutAct_9fa48("68") ? true : (stryCov_9fa48("68", "69", "70"), (stryMutAct_9fa48("72") ? volume.fault !== null || volume.host === null : stryMutAct_9fa48("71") ? true : (stryCov_9fa48("71", "72"), (stryMutAct_9fa48("74") ? volume.fault === null : stryMutAct_9fa48("73") ? true : (stryCov_9fa48("73", "74"), volume.fault !== null)) && (stryMutAct_9fa48("76") ? volume.host !== null : stryMutAct_9fa48("75") ? true : (stryCov_9fa48("75", "76"), volume.host === null)))) && (stryMutAct_9fa48("78") ? volume.fault.attempt !== claim.attempt : stryMutAct_9fa48("77") ? true : (stryCov_9fa48("77", "78"), volume.fault.attempt === claim.attempt)));
    return isQueuedError ? stryMutAct_9fa48("79") ? {} : (stryCov_9fa48("79"), {
      action: stryMutAct_9fa48("80") ? "" : (stryCov_9fa48("80"), "release"),
      tell: stryMutAct_9fa48("81") ? "" : (stryCov_9fa48("81"), "volume.create.error")
    }) : stryMutAct_9fa48("82") ? {} : (stryCov_9fa48("82"), {
      action: stryMutAct_9fa48("83") ? "" : (stryCov_9fa48("83"), "release")
    });
  }
}

/** The current attempt's claim, or one that the scheduling of this or a later attempt will look for. */
function isNeededInFlow({
  host,
  claim
}: OpenClaim, volume: VolumeRecord): boolean {
  if (stryMutAct_9fa48("84")) {
    {}
  } else {
    stryCov_9fa48("84");
    if (stryMutAct_9fa48("87") ? volume.fence === null && claim.attempt > attemptOfFence(volume.fence) : stryMutAct_9fa48("86") ? false : stryMutAct_9fa48("85") ? true : (stryCov_9fa48("85", "86", "87"), (stryMutAct_9fa48("89") ? volume.fence !== null : stryMutAct_9fa48("88") ? false : (stryCov_9fa48("88", "89"), volume.fence === null)) || (stryMutAct_9fa48("92") ? claim.attempt <= attemptOfFence(volume.fence) : stryMutAct_9fa48("91") ? claim.attempt >= attemptOfFence(volume.fence) : stryMutAct_9fa48("90") ? false : (stryCov_9fa48("90", "91", "92"), claim.attempt > attemptOfFence(volume.fence))))) {
      if (stryMutAct_9fa48("93")) {
        {}
      } else {
        stryCov_9fa48("93");
        return stryMutAct_9fa48("94") ? false : (stryCov_9fa48("94"), true);
      }
    }
    return stryMutAct_9fa48("97") ? claim.attempt === attemptOfFence(volume.fence) || volume.host === null || volume.host === host : stryMutAct_9fa48("96") ? false : stryMutAct_9fa48("95") ? true : (stryCov_9fa48("95", "96", "97"), (stryMutAct_9fa48("99") ? claim.attempt !== attemptOfFence(volume.fence) : stryMutAct_9fa48("98") ? true : (stryCov_9fa48("98", "99"), claim.attempt === attemptOfFence(volume.fence))) && (stryMutAct_9fa48("101") ? volume.host === null && volume.host === host : stryMutAct_9fa48("100") ? true : (stryCov_9fa48("100", "101"), (stryMutAct_9fa48("103") ? volume.host !== null : stryMutAct_9fa48("102") ? false : (stryCov_9fa48("102", "103"), volume.host === null)) || (stryMutAct_9fa48("105") ? volume.host !== host : stryMutAct_9fa48("104") ? false : (stryCov_9fa48("104", "105"), volume.host === host)))));
  }
}

/** Undefined for a volume that left the flow by another hand (an operator's, mostly), and for those that nobody asked for. */
function endEventOf(volume: VolumeRecord): EndEvent | undefined {
  if (stryMutAct_9fa48("106")) {
    {}
  } else {
    stryCov_9fa48("106");
    if (stryMutAct_9fa48("108") ? false : stryMutAct_9fa48("107") ? true : (stryCov_9fa48("107", "108"), isCachedVolume(volume))) {
      if (stryMutAct_9fa48("109")) {
        {}
      } else {
        stryCov_9fa48("109");
        return undefined;
      }
    }
    if (stryMutAct_9fa48("112") ? volume.fault === null : stryMutAct_9fa48("111") ? false : stryMutAct_9fa48("110") ? true : (stryCov_9fa48("110", "111", "112"), volume.fault !== null)) {
      if (stryMutAct_9fa48("113")) {
        {}
      } else {
        stryCov_9fa48("113");
        return stryMutAct_9fa48("114") ? "" : (stryCov_9fa48("114"), "volume.create.error");
      }
    }
    return (stryMutAct_9fa48("117") ? volume.launched_at !== null : stryMutAct_9fa48("116") ? false : stryMutAct_9fa48("115") ? true : (stryCov_9fa48("115", "116", "117"), volume.launched_at === null)) ? undefined : stryMutAct_9fa48("118") ? "" : (stryCov_9fa48("118"), "volume.create.end");
  }
}

/**
 * Whether a claim has been open for so long that its own workflow cannot be about to close it: counted from the end of the
 * attempt when the volume has left the flow with it, otherwise from the claim. The mark of a deleted volume on which somebody may
 * still be at work waits until every function that worked on it has ended.
 */
export function isClaimOverdue({
  claim
}: OpenClaim, volume: VolumeRecord | undefined, now: Date, bounds: PhaseBounds = DEFAULT_PHASE_BOUNDS): boolean {
  if (stryMutAct_9fa48("119")) {
    {}
  } else {
    stryCov_9fa48("119");
    const ended = stryMutAct_9fa48("121") ? volume.attempts[claim.attempt]?.ended_at : stryMutAct_9fa48("120") ? volume?.attempts[claim.attempt].ended_at : (stryCov_9fa48("120", "121"), volume?.attempts[claim.attempt]?.ended_at);
    const since = (stryMutAct_9fa48("124") ? ended !== undefined || ended > claim.claimed_at : stryMutAct_9fa48("123") ? false : stryMutAct_9fa48("122") ? true : (stryCov_9fa48("122", "123", "124"), (stryMutAct_9fa48("126") ? ended === undefined : stryMutAct_9fa48("125") ? true : (stryCov_9fa48("125", "126"), ended !== undefined)) && (stryMutAct_9fa48("129") ? ended <= claim.claimed_at : stryMutAct_9fa48("128") ? ended >= claim.claimed_at : stryMutAct_9fa48("127") ? true : (stryCov_9fa48("127", "128", "129"), ended > claim.claimed_at)))) ? ended : claim.claimed_at;
    // Such a volume has no deadline, and the scheduling of its message will look for the claim.
    const waits = stryMutAct_9fa48("132") ? volume !== undefined && volume.status === "error" && volume.fault === null || volume.fence === null : stryMutAct_9fa48("131") ? false : stryMutAct_9fa48("130") ? true : (stryCov_9fa48("130", "131", "132"), (stryMutAct_9fa48("134") ? volume !== undefined && volume.status === "error" || volume.fault === null : stryMutAct_9fa48("133") ? true : (stryCov_9fa48("133", "134"), (stryMutAct_9fa48("136") ? volume !== undefined || volume.status === "error" : stryMutAct_9fa48("135") ? true : (stryCov_9fa48("135", "136"), (stryMutAct_9fa48("138") ? volume === undefined : stryMutAct_9fa48("137") ? true : (stryCov_9fa48("137", "138"), volume !== undefined)) && (stryMutAct_9fa48("140") ? volume.status !== "error" : stryMutAct_9fa48("139") ? true : (stryCov_9fa48("139", "140"), volume.status === (stryMutAct_9fa48("141") ? "" : (stryCov_9fa48("141"), "error")))))) && (stryMutAct_9fa48("143") ? volume.fault !== null : stryMutAct_9fa48("142") ? true : (stryCov_9fa48("142", "143"), volume.fault === null)))) && (stryMutAct_9fa48("145") ? volume.fence !== null : stryMutAct_9fa48("144") ? true : (stryCov_9fa48("144", "145"), volume.fence === null)));
    const bound = waits ? bounds.queued : bounds.open_claim;
    const atWork = (stryMutAct_9fa48("148") ? claim.suspected_orphan !== true : stryMutAct_9fa48("147") ? false : stryMutAct_9fa48("146") ? true : (stryCov_9fa48("146", "147", "148"), claim.suspected_orphan === (stryMutAct_9fa48("149") ? false : (stryCov_9fa48("149"), true)))) ? bounds.late_work : 0;
    return stryMutAct_9fa48("153") ? Date.parse(since) + Math.max(bound, atWork) * 1000 >= now.getTime() : stryMutAct_9fa48("152") ? Date.parse(since) + Math.max(bound, atWork) * 1000 <= now.getTime() : stryMutAct_9fa48("151") ? false : stryMutAct_9fa48("150") ? true : (stryCov_9fa48("150", "151", "152", "153"), (stryMutAct_9fa48("154") ? Date.parse(since) - Math.max(bound, atWork) * 1000 : (stryCov_9fa48("154"), Date.parse(since) + (stryMutAct_9fa48("155") ? Math.max(bound, atWork) / 1000 : (stryCov_9fa48("155"), (stryMutAct_9fa48("156") ? Math.min(bound, atWork) : (stryCov_9fa48("156"), Math.max(bound, atWork))) * 1000)))) < now.getTime());
  }
}

/**
 * The volume as its attempt left it, for an event that is told late: users may have attached or be deleting it by now. Name and
 * metadata are as they are now.
 */
export function asItEnded(volume: VolumeRecord, event: EndEvent): VolumeRecord {
  if (stryMutAct_9fa48("157")) {
    {}
  } else {
    stryCov_9fa48("157");
    if (stryMutAct_9fa48("160") ? event !== "volume.create.error" : stryMutAct_9fa48("159") ? false : stryMutAct_9fa48("158") ? true : (stryCov_9fa48("158", "159", "160"), event === (stryMutAct_9fa48("161") ? "" : (stryCov_9fa48("161"), "volume.create.error")))) {
      if (stryMutAct_9fa48("162")) {
        {}
      } else {
        stryCov_9fa48("162");
        return stryMutAct_9fa48("163") ? {} : (stryCov_9fa48("163"), {
          ...volume,
          status: stryMutAct_9fa48("164") ? "" : (stryCov_9fa48("164"), "error")
        });
      }
    }
    const isAsCreated = (STATUSES_CREATED as readonly string[]).includes(volume.status);
    return isAsCreated ? volume : stryMutAct_9fa48("165") ? {} : (stryCov_9fa48("165"), {
      ...volume,
      status: stryMutAct_9fa48("166") ? "" : (stryCov_9fa48("166"), "available")
    });
  }
}