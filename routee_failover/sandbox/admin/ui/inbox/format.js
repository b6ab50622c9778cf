// Formatting of times, durations and statuses.

const DAY = 86400;
const twoDigits = (number) => String(number).padStart(2, "0");

/** Formats seconds since the sandbox started as a clock: `00:01:05`, `2 d 00:00:10`. */
export function clockTime(seconds) {
  const whole = Math.floor(seconds + 1e-6);
  const days = Math.floor(whole / DAY);
  const time = [Math.floor((whole % DAY) / 3600), Math.floor((whole % 3600) / 60), whole % 60].map(twoDigits).join(":");
  return days ? `${days} d ${time}` : time;
}

/** Formats a duration in its two largest units: `1.5 s`, `2 min 5 s`, `1 day 2 h`. */
export function duration(seconds) {
  if (seconds < 60) return `${Number(seconds.toFixed(seconds < 10 ? 1 : 0))} s`;
  const units = [["day", DAY], ["h", 3600], ["min", 60], ["s", 1]];
  let rest = Math.round(seconds);
  const parts = [];
  for (const [name, size] of units) {
    const count = Math.floor(rest / size);
    if (count) parts.push(`${count} ${name === "day" && count > 1 ? "days" : name}`);
    else if (parts.length) break;
    rest -= count * size;
    if (parts.length === 2) break;
  }
  return parts.join(" ");
}

/** Formats the local time of an ISO date, with the day before it unless that is today. */
export function timeOfDay(iso) {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return String(iso);
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(twoDigits).join(":");
  if (date.toDateString() === new Date().toDateString()) return time;
  return `${date.getFullYear()}-${twoDigits(date.getMonth() + 1)}-${twoDigits(date.getDate())} ${time}`;
}

/** Splits camel case: `InProgress` becomes `In progress`. */
export function splitCamelCase(name) {
  return name.replace(/([a-z])([A-Z])/g, (_, before, after) => `${before} ${after.toLowerCase()}`);
}

const LOWER_CASE_NAMES = { noanswer: "no answer", inprogress: "in progress" };

/** Formats a status in sentence case: Routee writes Viber's in capitals, others in camel case, triggers in either. */
export function sentence(name) {
  const text = LOWER_CASE_NAMES[name.toLowerCase()] ?? splitCamelCase(name).toLowerCase();
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Returns the display name of a channel. */
export const channelName = (channel) => (channel === "Sms" ? "SMS" : channel);

const GOOD = new Set(["succeeded", "delivered", "seen", "completed"]);
const BAD = new Set(["failed", "undelivered", "expired", "unsent", "busy", "noanswer", "terminated"]);

/** Classifies a status: `good`, `bad`, or `open` while it may still become either. */
export function tone(status) {
  const name = status.toLowerCase();
  if (GOOD.has(name)) return "good";
  return BAD.has(name) ? "bad" : "open";
}

/** Formats a whole number in the browser's language. */
export const count = (number) => number.toLocaleString();

/** Display names of the endpoints. */
export const ENDPOINTS = { standard: "Failover", transactional: "Transactional", otp: "OTP", "viber-otp": "Viber OTP" };

/** Reasons why a flow failed, by Routee's statusCode. */
export const FAILURES = [
  "server error", "insufficient balance", "no next step", "failover not triggered",
];
