<?xml version="1.0" encoding="UTF-8"?>
<!-- No part of WS/T 846 has critical values: this message is the vendor's own, in the same dress. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" xmlns="urn:hl7-org:v3" exclude-result-prefixes="g">
  <xsl:template match="/Request">
    <CriticalValueFeedback>
      <id root="2.16.156.10011.2.5.1.1" extension="{g:value('message_id')}"/>
      <creationTime value="{g:date(Header/SentAt, 'yyyyMMddHHmmss')}"/>
      <criticalValue>
        <id extension="{CriticalId}"/>
        <acknowledgement typeCode="{AckType}">
          <id extension="{AckId}"/>
          <effectiveTime value="{g:date(ActedAt, 'yyyyMMddHHmmss')}"/>
          <author><id extension="{ActorCode}"/><name><xsl:value-of select="ActorName"/></name></author>
          <text><xsl:value-of select="Opinion"/></text>
        </acknowledgement>
      </criticalValue>
    </CriticalValueFeedback>
  </xsl:template>
</xsl:stylesheet>
