// Times, durations and statuses as a person reads them.

const DAY = 86400;
const two = (number) => String(number).padStart(2, "0");

/** Seconds since the sandbox started as the hands of a clock: `00:01:05`, `2 d 00:00:10`. */
export function clockTime(seconds) {
  const whole = Math.floor(seconds + 1e-6);
  const days = Math.floor(whole / DAY);
  const hands = [Math.floor((whole % DAY) / 3600), Math.floor((whole % 3600) / 60), whole % 60].map(two).join(":");
  return days ? `${days} d ${hands}` : hands;
}

/** A duration in its two largest units: `1.5 s`, `2 min 5 s`, `1 day 2 h`. */
export function duration(seconds) {
  if (seconds < 60) return `${Number(seconds.toFixed(seconds < 10 ? 1 : 0))} s`;
  const units = [["day", DAY], ["h", 3600], ["min", 60], ["s", 1]];
  let rest = Math.round(seconds);
  const said = [];
  for (const [name, size] of units) {
    const count = Math.floor(rest / size);
    if (count) said.push(`${count} ${name === "day" && count > 1 ? "days" : name}`);
    else if (said.length) break;
    rest -= count * size;
    if (said.length === 2) break;
  }
  return said.join(" ");
}

/** An ISO date's time of day here; the day stands before it unless it is today. */
export function timeOfDay(iso) {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return String(iso);
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  if (date.toDateString() === new Date().toDateString()) return time;
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${time}`;
}

/** `InProgress` in words. */
export function words(name) {
  return name.replace(/([a-z])([A-Z])/g, (_, before, after) => `${before} ${after.toLowerCase()}`);
}

const JOINED = { noanswer: "no answer", inprogress: "in progress" };

/** A status in sentence case: Routee writes Viber's in capitals, others' in camel case, and triggers in either. */
export function sentence(name) {
  const said = JOINED[name.toLowerCase()] ?? words(name).toLowerCase();
  return said.charAt(0).toUpperCase() + said.slice(1);
}

/** A channel as people write it. */
export const channelName = (channel) => (channel === "Sms" ? "SMS" : channel);

const GOOD = new Set(["succeeded", "delivered", "seen", "completed"]);
const BAD = new Set(["failed", "undelivered", "expired", "unsent", "busy", "noanswer", "terminated"]);

/** What a status means for the person: `good`, `bad`, or `open` while it may still become either. */
export function tone(status) {
  const name = status.toLowerCase();
  if (GOOD.has(name)) return "good";
  return BAD.has(name) ? "bad" : "open";
}

/** Whole numbers as this browser's language groups them. */
export const count = (number) => number.toLocaleString();

/** The name of an endpoint. */
export const ENDPOINTS = { standard: "Failover", transactional: "Transactional", otp: "OTP", "viber-otp": "Viber OTP" };

/** Why a flow failed, by Routee's statusCode. */
export const FAILURES = [
  "server error", "insufficient balance", "no next step", "failover not triggered",
];
