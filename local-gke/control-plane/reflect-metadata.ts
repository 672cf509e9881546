// @peculiar/x509 finds its parts by a library that insists on the package reflect-metadata, of which it then uses
// that nothing is found.
Object.assign(Reflect, { getMetadata: () => undefined, getOwnMetadata: () => undefined });
