/**
 * What a client's grant must allow before a command runs for it.
 */
import type { Grant, Permission } from '../storage/grant.js';

/** One permission; a list: all of them; `anyOf`: at least one of them. */
export type Requirement = Permission | readonly Permission[] | { readonly anyOf: readonly Permission[] };

/** What is missing, in words such as `write` or `list or write`; `null` when the grant allows it. */
export function missingPermission(grant: Grant, requirement: Requirement): string | null {
  if (typeof requirement === 'string') return grant[requirement] ? null : requirement;
  if ('anyOf' in requirement) {
    const { anyOf } = requirement;
    return anyOf.some((permission) => grant[permission]) ? null : anyOf.join(' or ');
  }
  return requirement.find((permission) => !grant[permission]) ?? null;
}
