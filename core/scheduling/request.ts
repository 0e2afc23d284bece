/**
 * The content of a create_volume cast, in Cinder's own shape (`cinder/objects/request_spec.py` and the `filter_properties` of
 * `cinder/scheduler/filter_scheduler.py`). Absent and null mean the same unless a field says otherwise.
 */

/** A volume type as far as scheduling reads it. An extra spec is text; null asks for a capability that is null. */
export type VolumeType = {
  id?: string | null;
  name?: string | null;
  extra_specs?: Record<string, string | null> | null;
  [key: string]: unknown;
};

/** `volume_properties`, which is the same object as `resource_properties`. `size` is in GiB. */
export type ResourceProperties = {
  size?: number | null;
  availability_zone?: string | null;
  user_id?: string | null;
  metadata?: Record<string, unknown> | null;
  qos_specs?: unknown;
  [key: string]: unknown;
};

/** The request as the API made it; the same at every attempt. */
export type RequestSpec = {
  volume_id?: string | null;
  volume_type?: VolumeType | null;
  volume_properties?: ResourceProperties | null;
  resource_properties?: ResourceProperties | null;
  /** Wins over the single zone of the properties when it is not empty. */
  availability_zones?: readonly string[] | null;
  /** `host@backend` or `host@backend#pool` that the volume is bound to. */
  resource_backend?: string | null;
  [key: string]: unknown;
};

/** The attempts so far. `backends` and `hosts` are twins that Cinder keeps for compatibility. */
export type Retry = {
  num_attempts?: number;
  backends?: readonly string[] | null;
  hosts?: readonly string[] | null;
  /** Traceback of the failed attempt, set by the rescheduling. */
  exc?: unknown;
  [key: string]: unknown;
};

/** Data that filters and weighers read, and that travels to the volume service and back. Sizes in GiB. */
export type FilterProperties = {
  size?: number | null;
  /** Set when a volume is to be extended: the space asked for is `new_size - size`. */
  new_size?: number | null;
  /** Backend id where the volume already is (retype): that pool is not checked for capacity. */
  vol_exists_on?: string | null;
  volume_type?: VolumeType | null;
  resource_type?: VolumeType | null;
  request_spec?: RequestSpec | null;
  retry?: Retry | null;
  [key: string]: unknown;
};

/** Fields that {@link givenRequestSpec} reads from a message and its volume's record. */
export type SpecSource = {
  message: { request_spec: Record<string, unknown> | null; image_id: string | null; snapshot_id: string | null };
  volume: { id: string; size: number; availability_zone: string | null; volume_type_id: string | null };
};

/**
 * The message's request spec or, where it is null or empty, the one that Cinder's scheduler makes of the volume
 * (`ExtractSchedulerSpecTask._populate_request_spec` of `cinder/scheduler/flows/create_volume.py`).
 */
export function givenRequestSpec(message: SpecSource["message"], volume: SpecSource["volume"]): RequestSpec {
  const { request_spec: given } = message;
  if (given !== null && Object.keys(given).length > 0) {
    return given;
  }
  const { id, size, availability_zone, volume_type_id } = volume;
  return {
    volume_id: id,
    snapshot_id: message.snapshot_id,
    image_id: message.image_id,
    volume_properties: { size, availability_zone, volume_type_id },
    volume_type: null,
  };
}

/**
 * `filter_properties` with everything the filters, the weighers and the volume service expect, as
 * `FilterScheduler._get_weighted_candidates` fills it. The retry is not touched; the caller's context is dropped, because it
 * never travels with the properties.
 */
export function populateFilterProperties(
  filterProperties: FilterProperties,
  requestSpec: RequestSpec,
): FilterProperties {
  const { context: _context, ...kept } = filterProperties;
  const properties = requestSpec.volume_properties ?? requestSpec.resource_properties ?? {};
  const volumeType = requestSpec.volume_type ?? {};
  return {
    ...kept,
    request_spec: {
      ...requestSpec,
      volume_properties: properties,
      resource_properties: properties,
    },
    config_options: {},
    volume_type: volumeType,
    resource_type: volumeType,
    size: properties.size ?? null,
    availability_zone: properties.availability_zone ?? null,
    user_id: properties.user_id ?? null,
    metadata: properties.metadata ?? null,
    qos_specs: properties.qos_specs ?? null,
  };
}
